"""A collection on the disk: what is committed is there, what is removed is gone, what is cut short is swept up."""

import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from infinidoc.documents.document import Document, Mark
from infinidoc.errors import InfinidocError
from infinidoc.memory import manifest
from infinidoc.memory.records import Citation, Identity, LogEntry, NewDocument, PassageRow
from infinidoc.memory.store import Store
from infinidoc.model.kernels import State

IDENTITY = Identity("tiny", "d1g35t", "none", "", "least_squares")
HEAD = {"projection": torch.ones(64, 128), "layer": torch.tensor(2)}


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "collection", IDENTITY, HEAD) as store:
        yield store


def state(value):
    shapes = (1, 2, 4, 4), (1, 2, 4, 4), (1,)
    return [State(*(torch.full(shape, value) for shape in shapes)) for _ in range(2)]


def addresses(value, rows):
    return torch.full((rows, 128), value, dtype=torch.int8)


def new(store, path, value, lengths=(3, 2), text="one two three. four five."):
    """A document whose passages have addresses full of `value`."""
    file = store.write_addresses(addresses(value, sum(lengths)))
    rows, row = [], 0
    for number, length in enumerate(lengths):
        rows.append(PassageRow(number * 5, number * 5 + 5, file, row, length))
        row += length
    return NewDocument(path, f"digest-{value}", len(text), Document(text, "txt", (Mark(0, "page 1"),), 1), rows)


def fill(store, **documents):
    with store.writing():
        store.commit([new(store, path, value) for path, value in documents.items()], [], state(float(len(documents))))


def files(store, kind):
    return sorted(path.name for path in store.directory.glob(f"{kind}-*"))


def found(store):
    """Every passage's document with the value of its addresses: what a search would see."""
    seen = {}
    for block in store.addresses():
        ends = [*block.rows[1:], len(block.addresses)]
        for passage, start, end in zip(block.passages, block.rows, ends, strict=True):
            document = store.passage(passage)[0]
            seen.setdefault(document, set()).update(block.addresses[start:end].unique().tolist())
    return {row.path: seen[row.id] for row in store.documents()}


def test_what_is_committed_is_there_after_reopening(store):
    fill(store, a=1, b=2)
    with Store.open(store.directory) as again:
        assert again.identity == IDENTITY
        assert [row.path for row in again.documents()] == ["a", "b"]
        assert again.document(again.documents()[0].id) == Document(
            "one two three. four five.", "txt", (Mark(0, "page 1"),), 1
        )
        assert found(again) == {"a": {1}, "b": {2}}
        assert again.state()[1].association.unique().tolist() == [2.0]
        assert torch.equal(again.address_head()["projection"], HEAD["projection"])
        assert again.counts() == {
            "documents": 2,
            "pages": 2,
            "tokens": 10,
            "memory_tokens": 10,
            "passages": 4,
            "text_bytes": 50,
            "address_bytes": 1280,
            "index_bytes": 0,
            "state_bytes": 2 * (32 + 32 + 1) * 4,
        }


def test_a_removed_document_leaves_no_trace_on_the_disk(store):
    secret = "the combination of the safe is 8412"
    with store.writing():
        store.commit([new(store, "a", 77, text=secret), new(store, "b", 2)], [], state(2.0))
    with store.writing():
        store.commit([new(store, "c", 3)], [store.documents()[0].id], state(1.0))
    assert found(store) == {"b": {2}, "c": {3}}
    for path in store.directory.iterdir():
        assert secret.encode() not in path.read_bytes()
        if path.name.startswith("addresses"):
            assert 77 not in load_file(path)["addresses"]


def test_replacing_is_one_step(store):
    fill(store, a=1)
    old = store.documents()[0]
    with store.writing():
        store.commit([new(store, "a", 9)], [old.id], state(1.0))
    assert found(store) == {"a": {9}}
    assert store.documents()[0].digest == "digest-9"
    assert len(files(store, "addresses")) == len(files(store, "state")) == 1


def test_documents_that_share_a_file_come_apart(store):
    file = None
    with store.writing():
        file = store.write_addresses(torch.cat([addresses(1, 5), addresses(2, 5)]))
        both = [
            NewDocument("a", "x", 1, Document("aaaa", "txt"), [PassageRow(0, 4, file, 0, 5)]),
            NewDocument("b", "y", 1, Document("bbbb", "txt"), [PassageRow(0, 4, file, 5, 5)]),
        ]
        store.commit(both, [], state(2.0))
        store.commit([], [store.documents()[0].id], state(1.0))
    assert found(store) == {"b": {2}}
    assert file not in files(store, "addresses")


def test_merging_small_files_changes_nothing_that_a_search_sees(store, monkeypatch):
    for value in range(1, 8):
        fill(store, **{f"d{value}": value})
    before = found(store)
    monkeypatch.setattr(Store, "owned", replace(Store.owned, most=12))
    with store.writing():
        store.merge_small_files()
    assert found(store) == before
    assert len(files(store, "addresses")) == 4  # two documents of 5 rows fit in 12
    assert store.counts()["tokens"] == 35


def test_every_passage_knows_what_its_document_opens_with(store):
    """Also where the document was read in parts, and beside others."""

    def part(path, starts, complete):
        passages = [PassageRow(start, start + 5, store.write_addresses(addresses(1, 3)), 0, 3) for start in starts]
        return NewDocument(path, path, 30, Document("x" * 30, "txt"), passages, complete=complete)

    with store.writing():
        store.commit([new(store, "/a", 1), part("/b", [10, 0], False)], [], None)
        store.commit([part("/b", [20], True), new(store, "/c", 3)], [], None)
    place = {passage: store.passage(passage)[:2] for block in store.addresses() for passage in block.passages}
    assert len(place) == 7
    for blocks in (store.addresses(), store.addresses(after=5), [store.block_of(list(place)[1::2])]):
        for block in blocks:
            for passage, opening in zip(block.passages, block.openings, strict=True):
                assert place[opening] == (place[passage][0], 0)
                assert store.openings([passage]) == {passage: opening}


def test_a_failed_commit_changes_nothing(store):
    fill(store, a=1)
    with store.writing(), pytest.raises(sqlite3.IntegrityError):
        store.commit([new(store, "b", 2), new(store, "a", 3)], [], state(5.0))  # "a" is there already
    assert found(store) == {"a": {1}}
    assert store.state()[0].tokens.tolist() == [1.0]
    with store.writing():
        pass
    assert len(files(store, "addresses")) == len(files(store, "state")) == 1


def test_what_a_crash_leaves_is_swept_up_by_the_next_writer(store):
    fill(store, a=1)
    orphan = store.write_addresses(addresses(5, 5))
    half = store.directory / ".tmpabc.tmp"
    half.write_bytes(b"half")
    assert found(store) == {"a": {1}}
    with store.writing():
        pass
    assert orphan not in files(store, "addresses")
    assert not half.exists()
    assert found(store) == {"a": {1}}


def test_a_creation_that_was_cut_short_is_no_collection(tmp_path):
    directory = tmp_path / "c"
    directory.mkdir()
    sqlite3.connect(directory / manifest.MANIFEST).close()
    assert not Store.exists(directory)
    with pytest.raises(InfinidocError, match="no collection"):
        Store.open(directory)
    with Store.create(directory, IDENTITY, HEAD) as store:
        assert store.documents() == []


def test_a_second_writer_gets_a_clear_message_and_readers_go_on(store, monkeypatch):
    fill(store, a=1)
    holder = """
import sys, time
from pathlib import Path
from infinidoc.memory.store import Store
with Store.open(Path(sys.argv[1])) as store, store.writing():
    print("holding", flush=True)
    time.sleep(3600)
"""
    other = subprocess.Popen([sys.executable, "-c", holder, str(store.directory)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "holding\n"
        monkeypatch.setattr(manifest, "LOCK_SECONDS", 0.2)
        with pytest.raises(InfinidocError, match="another process is writing"), store.writing():
            pass
        assert found(store) == {"a": {1}}
        store.log_answer(entry("while another writes"))
        assert [row.question for row in store.log()] == ["while another writes"]
    finally:
        other.kill()
        other.wait()
    monkeypatch.setattr(manifest, "LOCK_SECONDS", 10)
    with store.writing():  # a killed writer's lock is gone with it
        pass


def test_a_reader_survives_a_writer_that_replaces_what_it_was_about_to_open(store, monkeypatch):
    fill(store, a=1)
    reader = Store.open(store.directory)
    genuine, calls = Store._read_rows, []

    def late(self, file):
        if not calls:
            calls.append(file)
            with store.writing():
                monkeypatch.setattr(Store, "_read_rows", genuine)
                store.commit([new(store, "a", 4)], [store.documents()[0].id], state(1.0))
        return genuine(self, file)

    monkeypatch.setattr(Store, "_read_rows", late)
    assert found(reader) == {"a": {4}}
    assert calls
    reader.close()


def entry(question, *citations, answer="42", memory_only=False):
    return LogEntry(question, answer, True, memory_only, list(citations), {"total": 0.5})


def test_the_log_is_newest_first(store):
    fill(store, a=1)
    cited = Citation(store.documents()[0].id, 4, 7, 0.5)
    for question in ("first?", "second?"):
        store.log_answer(entry(question, cited))
    rows = store.log()
    assert [row.question for row in rows] == ["second?", "first?"]
    assert rows[0].citations == [cited]
    assert rows[0].answered is True
    assert rows[0].timings == {"total": 0.5}
    assert rows[0].model == "tiny"
    assert len(store.log(1)) == 1


def test_damage_gets_a_clear_line(store):
    fill(store, a=1)
    (name,) = files(store, "state")
    (store.directory / name).write_bytes(b"not a tensor")
    with pytest.raises(InfinidocError, match="is damaged"):
        store.state()
    (store.directory / name).unlink()
    for reading in (store.state, store.counts):
        with pytest.raises(InfinidocError, match=f"^{store.directory / name} is missing"):
            reading()
    (store.directory / name).mkdir()
    for reading in (store.state, store.counts):
        with pytest.raises(InfinidocError, match=f"^{store.directory / name} can't be read"):
            reading()
    (store.directory / name).rmdir()
    store.close()
    (store.directory / manifest.MANIFEST).write_bytes(b"not a database" * 1000)
    with pytest.raises(InfinidocError, match="is damaged"):
        Store.open(store.directory)


def test_another_format_is_refused(store):
    with store._transaction():
        store._set_meta("format", "99")
    with pytest.raises(InfinidocError, match="format 99"):
        Store.open(store.directory)
