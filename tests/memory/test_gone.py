"""What is removed is gone: no byte of a text, of what was answered from it or quoted, in any file of the collection."""

import random
import re
import sqlite3

import pytest

from infinidoc.memory.manifest import MANIFEST
from infinidoc.memory.records import Citation, StoredFile
from infinidoc.memory.store import Store
from tests.memory.test_store import HEAD, IDENTITY, entry, fill, found, new, state


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "collection", IDENTITY, HEAD) as store:
        yield store


def left(directory, *secrets):
    """Those of some strings that any file still holds, in any encoding that SQLite may keep text in."""
    content = b"".join(path.read_bytes() for path in sorted(directory.iterdir()))
    return [s for s in secrets if any(s.encode(code) in content for code in ("utf-8", "utf-16-le", "utf-16-be"))]


def words(rng, count):
    """Text of words that occur once, and are found at a glance."""
    return [f"w{rng.getrandbits(48):012x}" for _ in range(count)]


@pytest.mark.parametrize("seed", range(2))
def test_not_a_word_is_left_of_many_documents_of_all_sizes(store, seed, monkeypatch):
    """Pages of the database are split, merged and freed meanwhile; SQLite moves what is on them about."""
    monkeypatch.setattr("infinidoc.files.flush", lambda handle: None)  # no power is cut here
    monkeypatch.setattr("infinidoc.files.sync_directory", lambda directory: None)
    store._run("PRAGMA synchronous = OFF")
    rng = random.Random(seed)
    texts, removed = {}, {}
    for number in range(40):
        some = words(rng, rng.choice([3, 20, 150, 300, 1500]))
        with store.writing():
            store.commit([new(store, f"d{number}", number + 1, text=" ".join(some))], [], state(1.0))
        texts[f"d{number}"] = some
        if rng.random() < 0.6:
            path = rng.choice(sorted(texts.keys() - removed.keys()))
            (document,) = store.of_paths([path])
            store.log_answer(entry("what?", Citation(document.id, 0, 3, 0.5), answer=texts[path][0] + " was said"))
        if rng.random() < 0.7:
            path = rng.choice(sorted(texts.keys() - removed.keys()))
            (document,) = store.of_paths([path])
            with store.writing():
                store.commit([], [document.id], state(1.0))
            removed[path] = texts[path]
    content = b"".join(path.read_bytes() for path in store.directory.iterdir())
    left_over = {word.decode() for word in re.findall(rb"w[0-9a-f]{12}", content)}
    gone = [word for some in removed.values() for word in some]
    assert len(gone) > 500
    assert left_over.isdisjoint(gone)
    there = [word for path, some in texts.items() if path not in removed for word in some]
    assert len(left_over.intersection(there)) > 0.9 * len(there)  # the rest runs from one page on to another


def test_answers_from_a_removed_document_go_and_their_questions_stay(store):
    fill(store, a=1, b=2)
    a, b = (document.id for document in store.documents())
    store.log_answer(entry("about a?", Citation(a, 0, 3, 0.5), answer="the answer from a"))
    store.log_answer(entry("about both?", Citation(b, 0, 3, 0.5), Citation(a, 4, 7, 0.4), answer="drawn from both"))
    store.log_answer(entry("about b?", Citation(b, 0, 3, 0.5), answer="stays as it is"))
    store.log_answer(entry("from memory?", answer="who knows whence", memory_only=True))
    with store.writing():
        store.commit([], [a], state(1.0))
    log = {logged.question: (logged.answer, [c.document for c in logged.citations]) for logged in store.log()}
    assert log == {
        "about a?": (None, []),
        "about both?": (None, [b]),
        "about b?": ("stays as it is", [b]),
        "from memory?": (None, []),
    }
    assert left(store.directory, "the answer from a", "drawn from both", "who knows whence") == []


def test_the_log_quotes_nothing(store):
    with store.writing():
        store.commit([new(store, "a", 1, text="the combination is 8412")], [], state(1.0))
    store.log_answer(entry("which?", Citation(store.documents()[0].id, 0, 23, 0.5)))
    assert sum(path.read_bytes().count(b"combination") for path in store.directory.glob("manifest*")) <= 2  # file, log
    for name in ("log", "citations"):
        assert "combination" not in str(store._query(f"SELECT * FROM {name}"))


def test_an_answer_from_a_document_that_was_removed_meanwhile_is_not_kept(store):
    fill(store, a=1)
    cited = Citation(store.documents()[0].id, 0, 3, 0.5)
    with Store.open(store.directory) as other, other.writing():
        other.commit([], [cited.document], None)
    store.log_answer(entry("what was it?", cited, answer="the old text"))
    assert [(logged.question, logged.answer, logged.citations) for logged in store.log()] == [
        ("what was it?", None, [])
    ]
    assert left(store.directory, "the old text") == []


def test_a_reader_in_the_way_delays_it_until_the_next_writer(store, monkeypatch):
    with store.writing():
        store.commit([new(store, "a", 1, text="the combination is 8412")], [], state(1.0))
    reader = sqlite3.connect(store.directory / MANIFEST, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM documents").fetchall()
    store._run("PRAGMA busy_timeout = 50")
    with store.writing():
        store.commit([], [store.documents()[0].id], None)
    reader.close()
    with store.writing():
        pass
    assert left(store.directory, "the combination") == []


def test_an_index_and_tensors_of_what_is_gone_go_with_it(store):
    fill(store, a=1, b=2)
    with store.writing(), store.new_index(4) as file:
        file.write_bytes(b"an index of a and b")
    with store.writing():
        store.commit([], [store.documents()[0].id], state(1.0))
    assert store.index is None
    assert left(store.directory, "an index of") == []
    assert sorted(path.name.split("-")[0] for path in store.directory.glob("*-*.safetensors")) == [
        "address",
        "addresses",
        "state",
    ]


def test_copies_share_a_place_and_the_last_one_takes_it_away(store):
    fill(store, a=1)
    document = store.documents()[0].id
    with store.writing():
        store.commit([], [], state(1.0), named=[(document, StoredFile("b", "digest-b", 25))])
    (only,) = store.documents()
    assert (only.path, only.copies, only.at("b").path, only.at("b").copies) == ("a", ("b",), "b", ("a",))
    assert store.left_by(["a"]) == []
    assert [one.id for one in store.left_by(["a", "b"])] == [document]
    with store.writing():
        store.commit([], [], state(1.0), unnamed=["a"])
    assert [one.paths for one in store.documents()] == [("b",)]
    assert found(store) == {"b": {1}}
    assert [one.id for one in store.left_by(["b"])] == [document]
    assert store.left_by(["b"], but=[document]) == []
