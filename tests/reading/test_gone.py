"""What is no longer in a file is no longer in the collection, whatever became of the file; copies have one place."""

import os
import shutil
from pathlib import Path

import pytest

from infinidoc.documents import formats
from infinidoc.documents.document import Unreadable
from infinidoc.errors import InfinidocError
from infinidoc.memory import places
from infinidoc.model import encoding
from infinidoc.reading import asking
from infinidoc.reading import collection as collection_module
from infinidoc.reading import run as run_module
from infinidoc.reading.collection import QUESTION_TOKENS, Collection
from tests.documents import samples
from tests.memory.test_gone import left

DOOR, BREAD = "The code of the cellar door is oak-7741.", "Bread is baked on Wednesday and Saturday."


@pytest.fixture
def files():
    folder = Path("files")
    folder.mkdir()
    (folder / "door.txt").write_text(DOOR)
    (folder / "bread.txt").write_text(BREAD)
    return folder


@pytest.fixture
def collection(tiny, files, monkeypatch):
    monkeypatch.setattr(asking, "WORTH_READING", -float("inf"))  # a random model can't tell
    with Collection.open(model=str(tiny), memory=True) as collection:
        collection.ingest([files])
        collection.head.__dict__["threshold"] = -2.0
        yield collection


def names(collection):
    return sorted(os.path.relpath(path) for document in collection.documents() for path in document.paths)


def assert_gone(collection, *secrets):
    """Not cited, not in the log, not in any file; and what is in the memory is what is in the documents."""
    assert not {"oak-7741"} & {
        word.strip(".") for source in collection.search("code?", 50) for word in source.text.split()
    }
    assert left(collection.directory, "oak-7741", "cellar door", *secrets) == []
    state, documents = collection.store.state(), collection.documents()
    assert (state[0].tokens.item() if state else 0) == sum(document.tokens for document in documents)


BECOMES = {
    "emptied": lambda path: path.write_text(""),
    "blank": lambda path: path.write_text(" \n\n"),
    "binary": lambda path: path.write_bytes(b"\x7fELF\0\1\2\3"),
    "a broken PDF": lambda path: path.write_bytes(b"%PDF-1.4 \0 not really"),
    "too large": lambda path: path.write_text("x" * 2000),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a broken link": lambda path: (path.unlink(), path.symlink_to("nowhere")),
}


@pytest.mark.parametrize("became", BECOMES)
@pytest.mark.parametrize("sync", [False, True])
def test_of_a_file_that_can_not_be_read_any_more_nothing_is_kept(collection, files, became, sync, monkeypatch):
    collection.ask("What is the code?", max_tokens=2)
    answer = collection.log()[0].answer.text
    monkeypatch.setattr(formats, "MAX_BYTES", 1000)
    BECOMES[became](files / "door.txt")
    summary = collection.ingest([files], sync=sync)
    assert summary.removed == 1
    (skipped,) = summary.skipped
    assert skipped.name == "files/door.txt"
    assert skipped.reason.endswith("; what was read from it before is removed")
    assert names(collection) == ["files/bread.txt"]
    assert_gone(collection)
    (logged,) = collection.log()
    assert answer
    assert (logged.answer.question, logged.answer.text) == ("What is the code?", "")
    again = collection.ingest([files], sync=sync)
    assert (again.removed, again.unchanged) == (0, 1)
    assert "before" not in again.skipped[0].reason


def test_a_file_that_may_not_be_read_any_more_goes_too(collection, files, monkeypatch):
    fail(monkeypatch, PermissionError(13, "Permission denied"))
    summary = collection.ingest([files])
    assert summary.skipped[0].reason == "permission denied; what was read from it before is removed"
    assert_gone(collection)


def test_what_a_disk_or_a_network_fails_to_give_is_kept_as_it_was(collection, files, monkeypatch):
    """Nobody knows what is in the file now; hours of reading are not thrown away for that."""
    fail(monkeypatch, OSError(5, "Input/output error"))
    summary = collection.ingest([files], sync=True)
    assert summary.removed == 0
    assert summary.skipped[0].reason == "input/output error; what was read from it before is kept"
    assert names(collection) == ["files/bread.txt", "files/door.txt"]


def fail(monkeypatch, error):
    """Reading door.txt fails, after its beginning could be looked at."""

    def load(path):
        if path.name == "door.txt":
            raise Unreadable.because(error)
        return formats.load(path)

    monkeypatch.setattr(run_module, "load", load)
    Path("files/door.txt").write_text("changed since")


def test_replaced_text_is_gone(collection, files):
    collection.ask("What is the code?", max_tokens=2)
    (files / "door.txt").write_text("The lock was taken out.")
    assert collection.ingest([files]).replaced == 1
    assert_gone(collection)
    assert names(collection) == ["files/bread.txt", "files/door.txt"]


@pytest.mark.parametrize(
    "given", ["files/*.txt", "files/**", "files", "./files/../files", ".", "~/files", "files/door.txt"]
)
def test_sync_means_what_the_paths_mean(collection, files, given, monkeypatch):
    monkeypatch.setenv("HOME", str(Path.cwd()))
    collection.ask("What is the code?", max_tokens=2)
    (files / "door.txt").unlink()
    if given == "files/door.txt":
        with pytest.raises(InfinidocError, match="no such file"):
            collection.ingest([given])
    assert collection.ingest([given], sync=True).removed == 1
    assert names(collection) == ["files/bread.txt"]
    assert_gone(collection)


def test_sync_with_a_glob_drops_nothing_that_the_glob_does_not_mean(collection, files):
    (files / "door.txt").unlink()
    (files / "note.md").write_text("A note.")
    assert collection.ingest(["files/*.md"], sync=True).removed == 0
    assert collection.ingest(["files/b*.txt"], sync=True).removed == 0
    assert collection.ingest(["files/*.txt"], sync=True).removed == 1


def test_a_deleted_folder_is_synced_by_its_name(collection, files):
    shutil.rmtree(files)
    for given in ("files", "files/*.txt"):
        with pytest.raises(InfinidocError, match=r"no such file|no file matches"):
            collection.ingest([given])
    with pytest.raises(InfinidocError, match="no such file"):
        collection.ingest(["other"], sync=True)
    assert collection.ingest(["files"], sync=True).removed == 2
    assert collection.documents() == []
    with pytest.raises(InfinidocError, match="no such file"):
        collection.ingest(["files"], sync=True)


@pytest.mark.parametrize("given", [["."], ["moved"], ["files", "moved"]])
def test_a_renamed_folder_is_there_once_and_not_read_again(collection, files, given, monkeypatch):
    before = {passage for block in collection.store.addresses() for passage in block.passages}
    files.rename("moved")
    monkeypatch.setattr(encoding, "single_pass", None)  # the model must not run
    summary = collection.ingest(given, sync=True)
    assert (summary.added, summary.copies, summary.removed) == (0, 2, 2)
    assert names(collection) == ["moved/bread.txt", "moved/door.txt"]
    assert {passage for block in collection.store.addresses() for passage in block.passages} == before


def test_a_locked_folder_is_not_taken_for_a_deleted_one(collection, files, monkeypatch):
    def lstat(path):
        raise PermissionError(13, "Permission denied", path)

    collection.load(to_write=True)
    monkeypatch.setattr("infinidoc.documents.discovery.os.lstat", lstat)
    assert collection.ingest(["files/b*"], sync=True).removed == 0
    assert len(names(collection)) == 2


def test_copies_have_one_place_and_all_their_names(collection, files):
    Path("copies").mkdir()
    for number in range(3):
        shutil.copy(files / "door.txt", f"copies/door-{number}.md")
    summary = collection.ingest(["."])
    assert (summary.added, summary.copies, summary.unchanged, summary.tokens) == (0, 3, 2, 0)
    copies = tuple(f"copies/door-{number}.md" for number in range(3))
    answer = collection.ask("What is the code?", top=50, max_tokens=1)
    (door,) = [source for source in answer.sources if "oak-7741" in source.text]
    assert (door.document, door.also_in) == ("files/door.txt", copies)
    assert (collection.ingest(["."]).unchanged, len(names(collection))) == (5, 5)
    collection.remove(collection.find("files/door.txt"))
    (door,) = [source for source in collection.search("What is the code?", 50) if "oak-7741" in source.text]
    assert (door.document, door.also_in) == (copies[0], copies[1:])
    assert len(collection.log()[0].answer.sources) == 2  # the document is still there
    collection.remove(collection.find("copies/*"))
    assert_gone(collection)


def test_copies_that_come_together_are_read_once(tiny, files):
    shutil.copy(files / "door.txt", files / "a.txt")
    (files / "z.txt").write_text(DOOR + "\n")  # other bytes, the same text but for the end
    with Collection.open("new", str(tiny), memory=True) as collection:
        summary = collection.ingest([files])
        assert (summary.added, summary.copies) == (2, 2)
        assert [source.text for source in collection.search("code?", 50)].count(DOOR) == 1


def test_a_copy_that_changes_is_no_copy_any_more(collection, files):
    shutil.copy(files / "door.txt", files / "other.txt")
    collection.ingest([files])
    (files / "door.txt").write_text("The lock was taken out.")
    assert collection.ingest([files]).replaced == 1
    texts = {source.document: source.text for source in collection.search("code?", 50)}
    assert texts["files/other.txt"] == DOOR
    assert texts["files/door.txt"] == "The lock was taken out."
    (files / "other.txt").write_text("The lock was taken out.")
    collection.ingest([files])
    assert names(collection) == ["files/bread.txt", "files/door.txt", "files/other.txt"]
    assert_gone(collection)


def test_two_files_that_change_places_are_both_right(collection, files):
    (files / "bread.txt").write_text(DOOR)
    (files / "door.txt").write_text(BREAD)
    collection.ingest([files])
    texts = {source.document: source.text for source in collection.search("code?", 50)}
    assert texts == {"files/bread.txt": DOOR, "files/door.txt": BREAD}
    state = collection.store.state()
    assert state[0].tokens.item() == sum(document.tokens for document in collection.documents())


def test_a_moved_project_is_the_same_project(collection, files, tmp_path, monkeypatch):
    collection.close()
    moved = tmp_path / "moved"
    Path.cwd().rename(moved)
    monkeypatch.chdir(moved)
    with Collection.open() as collection:
        assert names(collection) == ["files/bread.txt", "files/door.txt"]
        (moved / "files" / "door.txt").unlink()
        summary = collection.ingest(["."], sync=True)
        assert (summary.added, summary.unchanged, summary.removed) == (0, 1, 1)
        assert [Path(document.path) for document in collection.documents()] == [moved / "files" / "bread.txt"]


def test_a_project_s_collection_is_found_from_below(collection, files, monkeypatch):
    below = files / "deep"
    below.mkdir()
    (below / "note.txt").write_text("A note from the deep.")
    monkeypatch.chdir(below)
    with Collection.open(create=False) as found:
        assert found.directory == collection.directory
        assert found.ingest(["."]).added == 1
        assert [source.document for source in found.search("note?", 50)].count("note.txt") == 1
    Path(".infinidoc").mkdir()  # nothing is in there
    assert places.place().directory == collection.directory


def test_a_collection_that_leaves_its_project_keeps_its_files(collection, files):
    collection.close()
    places.rename(".", "manuals")
    with Collection.open("manuals", create=False) as manuals:
        assert names(manuals) == ["files/bread.txt", "files/door.txt"]
        assert manuals.ingest([files]).unchanged == 2


def test_a_collection_that_leaves_while_it_is_open_is_said_to_have_left(files, tiny):
    with Collection.open("ships", model=str(tiny), memory=True) as ships:
        ships.ingest([files])
        places.rename("ships", "boats")
        for call in (lambda: ships.ingest([files]), lambda: ships.search("code?")):
            with pytest.raises(InfinidocError, match="ships is no longer there: it was renamed or removed"):
                call()
    assert [place.name for place in places.places()] == ["boats"]  # no new one was made in its place


def test_a_file_has_one_name_however_it_is_come_by(collection, files):
    Path("link").symlink_to(Path.cwd())
    assert collection.ingest([Path.cwd() / "link" / "files"]).unchanged == 2
    assert names(collection) == ["files/bread.txt", "files/door.txt"]


def test_a_question_of_many_pages_is_told_so_at_once(collection, monkeypatch):
    monkeypatch.setattr(collection_module, "QUESTION_TOKENS", 50)
    for question in ("What is the code of the door? " * 30, "?" * 20_000):
        for call in (collection.ask, collection.search):
            with pytest.raises(InfinidocError, match=r"the question is too long: .* characters, more than 50 tokens"):
                call(question)
    assert collection.ask("What is the code?", max_tokens=1)
    assert QUESTION_TOKENS >= 512


def test_documents_in_an_archive_come_and_go_with_it(collection, files):
    archive = Path("old.zip")
    archive.write_bytes(samples.archive({"in/shed.txt": "The shed is green.", "in/well.txt": "The well is dry."}))
    collection.ingest(["."], sync=True)
    assert {"old.zip/in/shed.txt", "old.zip/in/well.txt"} <= set(names(collection))
    assert collection.ingest(["."], sync=True).unchanged == len(names(collection))
    archive.write_bytes(samples.archive({"in/shed.txt": "The shed is blue."}))
    summary = collection.ingest(["."], sync=True)
    assert (summary.replaced, summary.removed) == (1, 1)
    assert "old.zip/in/well.txt" not in names(collection)
    archive.unlink()
    assert collection.ingest(["."], sync=True).removed == 1
    assert not any(name.startswith("old.zip") for name in names(collection))
