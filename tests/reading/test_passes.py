"""An ingest in two passes: documents can be asked about after the first, and the second may be cut short anywhere."""

import shutil

import pytest

from infinidoc.memory.backlog import Backlog
from infinidoc.memory.places import Place
from infinidoc.memory.store import Store
from infinidoc.model import encoding
from infinidoc.reading import asking
from infinidoc.reading.collection import Collection
from infinidoc.reading.summary import Stopped
from tests.reading.ingest.memories import assert_same_memory, sums
from tests.reading.library import content, write_library


@pytest.fixture(scope="module")
def read(tiny, tmp_path_factory):
    """A folder of documents with two collections of them: of `begun` the first pass is done, `whole` was read by an
    ingest that nobody cut short."""
    folder = tmp_path_factory.mktemp("passes")
    docs = write_library(folder / "docs", count=12, longest=60)
    shutil.copytree(docs, folder / "as-they-were")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFINIDOC_HOME", str(folder / "home"))
        patch.setenv("INFINIDOC_PRECISION", "fp32")
        patch.setitem(encoding.WINDOW_TOKENS, "cpu", 400)
        with Collection(Place("begun", folder / "begun"), str(tiny), memory=True) as begun:
            cut_short(begun, docs, 0)
        with Collection(Place("whole", folder / "whole"), str(tiny), memory=True) as whole:
            whole.ingest([docs])
    return folder


@pytest.fixture
def docs(read, monkeypatch):
    monkeypatch.setitem(encoding.WINDOW_TOKENS, "cpu", 400)
    shutil.rmtree(read / "docs")
    return shutil.copytree(read / "as-they-were", read / "docs")


@pytest.fixture
def collection(read, tiny, docs, home):
    """The first pass is done, the second has not begun."""
    shutil.copytree(read / "begun", home / "collections" / "cut-short")
    with Collection.open("cut-short", str(tiny), memory=True) as collection:
        yield collection


@pytest.fixture
def whole(read, tiny, docs, home):
    shutil.copytree(read / "whole", home / "collections" / "whole")
    with Collection.open("whole", str(tiny), memory=True) as whole:
        yield whole


def cut_short(collection, docs, at):
    """Interrupts an ingest when the second pass has read so many tokens."""

    def notify(progress):
        if progress.to_remember and progress.remembered >= at:
            raise KeyboardInterrupt

    with pytest.raises(Stopped) as stopped:
        collection.ingest([docs], notify=notify)
    return stopped.value.summary


def kept(collection):
    """The files of what the first pass left."""
    return sorted(path.name for path in collection.directory.glob("begun-*"))


def test_after_the_first_pass_another_process_finds_everything(tiny, docs):
    found = []

    def notify(progress):
        if progress.to_remember and not found:
            assert progress.files_done == progress.files == 12
            with Collection.open("new") as other:
                found.append((other.search("What does the Amalia carry?"), other.store.counts()))

    with Collection.open("new", str(tiny), memory=True) as collection:
        summary = collection.ingest([docs], notify=notify)
        ((sources, counts),) = found
        assert sources == collection.search("What does the Amalia carry?")
        assert (counts["documents"], counts["memory_tokens"], counts["tokens"]) == (12, 0, summary.tokens)
        assert summary.collection["memory_tokens"] == summary.remembered == summary.tokens
        assert 0 < summary.ready_seconds < summary.seconds
        assert collection.store.state()[0].tokens.item() == summary.tokens
        assert kept(collection) == []


@pytest.mark.parametrize("given", [0, 12])
def test_a_second_pass_that_was_cut_short_is_taken_up_by_the_next_ingest(collection, docs, whole, tmp_path, given):
    """Whether it is given the same files or none: the same bytes and the same sums."""
    total = whole.store.counts()["tokens"]
    assert kept(collection)
    for at in (1000, 1500):
        summary = cut_short(collection, docs, at)
        assert summary.unchanged == 12
        assert summary.tokens == 0
        assert 0 < summary.collection["memory_tokens"] < total
    (tmp_path / "nothing").mkdir()
    done = collection.ingest([docs if given else tmp_path / "nothing"])
    assert (done.unchanged, done.tokens) == (given, 0)
    assert 0 < done.remembered < total
    assert content(collection.directory) == content(whole.directory)
    assert kept(collection) == []
    assert collection.ingest([docs]).remembered == 0


def test_what_the_first_pass_left_saves_time_and_nothing_depends_on_it(collection, docs, whole):
    seen = []
    decoder = collection.load(to_write=True).model.get_decoder()
    hook = decoder.layers[0].mlp.register_forward_hook(lambda *_: seen.append("the first layer"))
    cut_short(collection, docs, 1000)
    assert not seen
    lost = kept(collection)[:3]
    for name in lost:
        (collection.directory / name).unlink()
    collection.ingest([docs])
    hook.remove()
    assert seen
    assert content(collection.directory) == content(whole.directory)


def test_on_a_disk_without_room_the_second_pass_begins_anew(tiny, docs, whole, monkeypatch):
    monkeypatch.setattr(Backlog, "has_room", lambda store: False)
    with Collection.open("new", str(tiny), memory=True) as collection:
        cut_short(collection, docs, 1000)
        assert kept(collection) == []
        collection.ingest([docs])
        assert content(collection.directory) == content(whole.directory)


@pytest.mark.parametrize("at", [0, 1000, 2500])
def test_a_document_that_goes_between_the_passes_is_gone_everywhere(collection, docs, tiny, at):
    """Also from what the first pass left: hidden states say nearly as much as the text."""
    if at:
        cut_short(collection, docs, at)
    gone = collection.find("*/log-0[2-5].txt")
    windows = {window.begun: window for window in pending(collection.store)}
    theirs = {name for name, window in windows.items() if {s.document for s in window.segments} & {d.id for d in gone}}
    collection.remove(gone)
    assert set(kept(collection)) == windows.keys() - theirs
    for number in (2, 3, 4, 5):
        (docs / f"log-0{number}.txt").unlink()
    collection.ingest([docs])
    with Collection.open("fresh", str(tiny), memory=True) as fresh:
        fresh.ingest([docs])
        assert_same_memory(sums(collection), sums(fresh))
        assert content(collection.directory)["passages"].keys() == content(fresh.directory)["passages"].keys()
    assert collection.store.state()[0].tokens.item() == sum(document.tokens for document in collection.documents())


def pending(store):
    """All windows that the second pass has still to read."""
    found, window = [], store.next_window()
    while window:
        found.append(window)
        window = store.next_window(window.number)
    return found


@pytest.mark.parametrize("at", [0, 1000, 2500])
def test_a_document_that_changes_between_the_passes_is_in_the_memory_once(collection, docs, tiny, at):
    if at:
        cut_short(collection, docs, at)
    for name in ("log-00.txt", "log-07.txt", "log-11.txt"):
        (docs / name).write_text(f"The Zephyr sank with {name}.")
    assert collection.ingest([docs]).replaced == 3
    with Collection.open("fresh", str(tiny), memory=True) as fresh:
        fresh.ingest([docs])
        assert_same_memory(sums(collection), sums(fresh))
    assert kept(collection) == []


def test_when_all_documents_go_nothing_waits(collection):
    collection.remove(collection.documents())
    assert (kept(collection), pending(collection.store), collection.store.state()) == ([], [], None)
    assert collection.store.counts()["memory_tokens"] == 0


def test_who_is_answered_from_half_a_memory_is_told(collection, docs, monkeypatch):
    monkeypatch.setattr(asking, "WORTH_READING", -float("inf"))
    collection.head.__dict__["threshold"] = -2.0
    total = collection.store.counts()["tokens"]
    (note,) = collection.ask("What does the Amalia carry?", max_tokens=2, memory_only=True).notes
    assert note.startswith(f"the compressive memory has read 0 of {total:,} tokens so far")
    read = cut_short(collection, docs, 1000).collection["memory_tokens"]
    for memory_only in (True, False):  # this model has no reader of its own: the memory is behind its window
        (note,) = collection.ask("What does the Amalia carry?", max_tokens=2, memory_only=memory_only).notes
        assert note.startswith(f"the compressive memory has read {read:,} of {total:,} tokens so far")
    collection.ingest([docs])
    assert collection.ask("What does the Amalia carry?", max_tokens=2, memory_only=True).notes == []


def test_a_collection_without_a_memory_has_one_pass(tiny, docs):
    with Collection.open("bare", str(tiny), memory=False) as bare:
        summary = bare.ingest([docs])
        assert (summary.remembered, kept(bare), pending(bare.store)) == (0, [], [])
        assert summary.collection["memory_tokens"] == 0


def test_repairing_mends_what_the_first_pass_left_and_finishes_the_second(collection, docs, whole):
    from infinidoc.memory.check import check
    from infinidoc.reading.repair import repair

    cut_short(collection, docs, 1000)
    spoilt = collection.directory / kept(collection)[0]
    spoilt.write_bytes(spoilt.read_bytes()[:-1] + b"x")
    assert check(collection.store).lines == [f"{spoilt.name} is damaged"]
    repair(collection)
    assert check(collection.store).lines == []
    collection.ingest([docs])
    assert content(collection.directory) == content(whole.directory)


def test_a_collection_of_the_format_before_owes_the_memory_nothing(whole, docs):
    with Store.open(whole.directory) as store, store._transaction():
        store._run("DROP TABLE memories")
        store._run("DROP TABLE pending")
        store._set_meta("format", "4")
    with Collection.open("whole") as again:
        assert again.store.pending_tokens() == 0
        assert again.ingest([docs]).remembered == 0
