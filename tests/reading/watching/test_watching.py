"""A real watcher with a tiny model on real files. Nothing waits for a time: only for what has to come."""

import os
import shutil
import time

import pytest

from infinidoc.memory.store import Store
from infinidoc.model import encoding
from infinidoc.reading import watching
from infinidoc.reading.changes import Change, changes_between
from infinidoc.reading.collection import Collection
from tests.reading.library import content, sentence, write_library
from tests.reading.watching.watch import paths_in


def test_what_is_saved_moved_and_deleted(docs, watch, home):
    with watch(docs) as told:
        (first,) = told.told
        assert sorted(os.path.basename(change.path) for change in first.changes) == sorted(os.listdir(docs))
        assert {change.what for change in first.changes} == {"read"}

        (docs / "new.md").write_text("The Zephyr sank.")
        told.until_changes(("read", "new.md"))
        with Store.open(home / "collections" / "watched") as store:
            identifier = store.of_path(str(docs / "new.md")).id
            passages = [store.passages(identifier), store.segments(identifier)]

        (docs / "deep" / "er").mkdir(parents=True)
        (docs / "new.md").rename(docs / "deep" / "er" / "moved.md")
        told.until_changes(("read", "new.md"), ("moved", "moved.md"))
        assert told.told[-1].changes[0].was == str(docs / "new.md")
        assert told.told[-1].summary.tokens == 0
        with Store.open(home / "collections" / "watched") as store:
            assert store.of_path(str(docs / "new.md")) is None
            assert store.of_path(str(docs / "deep" / "er" / "moved.md")).id == identifier
            assert [store.passages(identifier), store.segments(identifier)] == passages

        (docs / "log-01.txt").write_text("The Amalia came home.")
        (docs / "log-00.txt").unlink()
        told.until(lambda: len(told.changes) == 4)
        assert sorted(told.changes[2:]) == [("removed", "log-00.txt"), ("replaced", "log-01.txt")]
    assert paths_in() == {"log-01.txt", "log-02.txt", "moved.md"}


def test_the_result_is_that_of_an_ingest(docs, watch, home, tiny):
    with watch(docs) as told:
        (docs / "a.txt").write_text("The Zephyr sank.")
        (docs / "log-01.txt").unlink()
        told.until_changes(("read", "a.txt"), ("removed", "log-01.txt"))
    with Collection.open("once", str(tiny), memory=True) as once:
        once.ingest([docs])
    collections = home / "collections"
    watched, ingested = content(collections / "watched"), content(collections / "once")
    assert watched["documents"] == ingested["documents"]
    assert watched["passages"] == ingested["passages"]


def test_a_directory_that_is_moved_is_moved_with_all_that_is_in_it(docs, watch):
    (docs / "a" / "b").mkdir(parents=True)
    (docs / "log-00.txt").rename(docs / "a" / "one.txt")
    (docs / "log-01.txt").rename(docs / "a" / "b" / "two.txt")
    with watch(docs) as told:
        (docs / "a").rename(docs / "c")
        told.until_changes(("moved", "one.txt"), ("moved", "two.txt"))
        assert sum(step.summary.tokens for step in told.told[1:]) == 0
        shutil.copytree(docs / "c", docs / "d")
        told.until(lambda: len(told.changes) == 4)
        assert sorted(told.changes[2:]) == [("copied", "one.txt"), ("copied", "two.txt")]
        shutil.rmtree(docs / "c")
        told.until(lambda: len(told.changes) == 6)
        assert sorted(told.changes[4:]) == [("removed", "one.txt"), ("removed", "two.txt")]
    assert paths_in() == {"log-02.txt", "one.txt", "two.txt"}


def save_as_vim_does(path, text):
    """A file to try whether files can be made, a swap file, the old file as a copy, the new one in its place."""
    directory = path.parent
    (directory / "4913").write_bytes(b"")
    (directory / "4913").unlink()
    (directory / f".{path.name}.swp").write_bytes(b"b0VIM 9.0")
    path.rename(directory / f"{path.name}~")
    path.write_text(text)
    (directory / f"{path.name}~").unlink()
    (directory / f".{path.name}.swp").unlink()


def save_as_word_does(path, text):
    """Into another file, the old one to the side, the new one in its place; a lock beside it all the while."""
    lock, new, old = (path.with_name(name) for name in (f"~${path.name}", "~WRD0001.tmp", "~WRL0002.tmp"))
    lock.write_text("Sam Pellow")
    new.write_text(text)
    path.rename(old)
    new.rename(path)
    old.unlink()
    lock.unlink()


def save_by_replacing(path, text):
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    os.replace(new, path)


def save_by_deleting(path, text):
    path.unlink()
    path.write_text(text)


@pytest.mark.parametrize("save", [save_as_vim_does, save_as_word_does, save_by_replacing, save_by_deleting])
def test_the_ways_in_which_programs_save(save, docs, watch):
    with watch(docs) as told:
        save(docs / "log-01.txt", "The Zephyr sank.")
        told.until_changes(("replaced", "log-01.txt"))
        told.until_it_has_looked()
        assert told.changes == [("replaced", "log-01.txt")]
    assert paths_in() == {"log-00.txt", "log-01.txt", "log-02.txt"}


def test_what_ingest_passes_over_is_passed_over(docs, watch):
    (docs / ".gitignore").write_text("build/\n*.log\n")
    (docs / "build").mkdir()
    with watch(docs, exclude=["drafts/"]) as told:
        for name in (".hidden.md", "a.md~", "~$a.docx", "a.pdf.part", "a.pdf.crdownload", "#a.md#", ".#a.md", "a.log"):
            (docs / name).write_text("not to be read")
        for name in ("build", "drafts", ".obsidian"):
            (docs / name).mkdir(exist_ok=True)
            (docs / name / "a.md").write_text("not to be read")
        (docs / "z.md").write_text("The Zephyr sank.")
        told.until_changes(("read", "z.md"))
        told.until_it_has_looked()
        (docs / ".gitignore").write_text("build/\n")
        told.until_changes(("read", "z.md"), ("read", "a.log"))


def test_a_download_is_read_when_it_has_its_name(docs, watch):
    with watch(docs) as told:
        (docs / "report.txt.part").write_text("The Zephyr ")
        told.until_it_has_looked()
        with open(docs / "report.txt.part", "a") as file:
            file.write("sank.")
        (docs / "report.txt.part").rename(docs / "report.txt")
        told.until_changes(("read", "report.txt"))


def test_a_half_written_file_is_waited_for(docs, watch, monkeypatch):
    monkeypatch.setattr(watching, "RESTS", 3.0)
    with watch(docs) as told, open(docs / "slow.txt", "w") as file:
        for number in range(90):  # longer than a file has to rest
            file.write(f"Ship {number}. ")
            file.flush()
            time.sleep(0.05)
            assert told.changes == []
        file.close()
        told.until_changes(("read", "slow.txt"))
        with Collection.open("watched", create=False) as collection:
            (found,) = collection.find("slow.txt")
            assert "Ship 89." in collection.store.document(found.id).text


def test_a_storm_is_read_in_few_steps(docs, watch, monkeypatch):
    import random

    monkeypatch.setattr(watching, "STORM", 100)
    rng = random.Random(1)
    with watch(docs) as told:
        (docs / "s").mkdir()
        for number in range(400):
            (docs / "s" / f"{number:03}.txt").write_text(sentence(rng) + f" Number {number}.")
        told.until(lambda: len(told.changes) >= 400)
        assert sorted(told.changes) == [("read", f"{number:03}.txt") for number in range(400)]
        steps = len(told.told) - 1
        assert steps <= 20
        shutil.rmtree(docs / "s")
        told.until(lambda: len(told.changes) >= 800)
        assert {what for what, _ in told.changes[400:]} == {"removed"}
    assert paths_in() == {"log-00.txt", "log-01.txt", "log-02.txt"}


def test_the_last_file_of_a_directory_can_be_deleted(docs, watch):
    with watch(docs) as told:
        for path in docs.iterdir():
            path.unlink()
        told.until(lambda: len(told.changes) == 3)
        assert {what for what, _ in told.changes} == {"removed"}
        assert told.notices == []
        (docs / "again.txt").write_text("The Zephyr sank.")
        told.until(lambda: ("read", "again.txt") in told.changes)


def test_files_and_globs(docs, watch):
    (docs / "old.md").write_text("The Brunhild waits.")
    with watch(docs / "log-00.txt", str(docs / "*.md")) as told:
        (docs / "log-01.txt").write_text("The Amalia came home.")
        (docs / "new.md").write_text("The Zephyr sank.")
        save_by_replacing(docs / "log-00.txt", "The Zephyr was found.")
        told.until_changes(("read", "new.md"), ("replaced", "log-00.txt"))
        (docs / "log-00.txt").unlink()
        told.until(lambda: ("removed", "log-00.txt") in told.changes)
    assert paths_in() == {"old.md", "new.md"}


def test_what_is_saved_does_not_wait_for_the_memory(tmp_path, watch, home, monkeypatch):
    monkeypatch.setitem(encoding.WINDOW_TOKENS, "cpu", 400)
    monkeypatch.setattr(watching, "LISTEN", 0.0)
    monkeypatch.setattr(watching, "RESTS", 0.0)
    docs, notes = write_library(tmp_path / "docs", count=12, longest=60), tmp_path / "notes.txt"
    notes.write_text("The Amalia sails.")

    def notify(progress):
        if progress.remembered and notes.read_text() == "The Amalia sails.":
            notes.write_text("The Amalia came home.")

    def unread():
        with Store.open(home / "collections" / "watched") as store:
            return store.pending_tokens()

    with watch(docs, notes, notify=notify) as told:
        told.until_changes(("replaced", "notes.txt"))
        saved = told.told[1].summary
        assert saved.tokens < saved.collection["tokens"] - saved.collection["memory_tokens"]
        assert saved.collection["memory_tokens"] > 0
        told.until(lambda: not unread())  # when nothing else is to be done


def test_changes_between():
    def files(**held):
        return {path: type("File", (), {"digest": digest}) for path, digest in held.items()}

    before = files(a="1", b="2", c="3", d="4")
    after = files(b="2x", c="3", e="1", f="3", g="5")
    assert changes_between(before, after) == [
        Change("replaced", "b"),
        Change("moved", "e", "a"),
        Change("copied", "f", "c"),
        Change("read", "g"),
        Change("removed", "d"),
    ]
    assert changes_between(files(a="1"), files(b="1", c="1")) == [Change("moved", "b", "a"), Change("copied", "c", "a")]
