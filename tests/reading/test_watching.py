"""A real watcher with a tiny model on real files. Nothing waits for a time: only for what has to come."""

import errno
import os
import shutil
import threading
import time
from contextlib import contextmanager

import pytest

from infinidoc import files
from infinidoc.documents.discovery import roots_of
from infinidoc.errors import InfinidocError
from infinidoc.memory.store import Store
from infinidoc.model import encoding
from infinidoc.reading import watching
from infinidoc.reading.changes import Change, changes_between
from infinidoc.reading.collection import Collection
from infinidoc.reading.watching import Notice, Step, Watcher
from tests.reading.library import content, sentence, write_library

LONG = 120.0  # seconds after which what has to come won't come any more


class Watch:
    """What a watcher in another thread has told so far."""

    def __init__(self, watcher):
        self.watcher, self.told, self.error = watcher, [], None

    @property
    def changes(self):
        """(what, file name) of all changes after the start."""
        steps = [step for step in self.told if isinstance(step, Step)]
        return [(change.what, os.path.basename(change.path)) for step in steps[1:] for change in step.changes]

    @property
    def notices(self):
        return [notice.what for notice in self.told if isinstance(notice, Notice)]

    def until(self, condition):
        """Waits for it, and returns what it says."""
        gives_up = time.monotonic() + LONG
        while not (found := condition()):
            if self.error:
                raise self.error
            assert time.monotonic() < gives_up, self.told
            time.sleep(0.05)
        return found

    def until_changes(self, *expected):
        self.until(lambda: len(self.changes) >= len(expected))
        assert sorted(self.changes) == sorted(expected)

    def until_it_has_looked(self):
        """Until two more looks at all files have found nothing: what will be noticed has been."""
        for _ in range(2):
            was = self.watcher._next_look
            self.until(lambda was=was: self.watcher._next_look > was and not self.watcher._pending)


@pytest.fixture
def docs(tmp_path):
    return write_library(tmp_path / "docs", count=3)


@pytest.fixture
def watch(tiny, monkeypatch):
    """Watches paths in another thread, from when everything was read."""

    @contextmanager
    def watch(*paths, started=True, look=0.5, **options):
        monkeypatch.setattr(watching, "LOOK", look)
        with Collection.open("watched", str(tiny), memory=True) as collection:
            watcher = Watcher(collection, paths, **options)
            told = Watch(watcher)

            def run():
                try:
                    for step in watcher.run():
                        told.told.append(step)
                except BaseException as error:
                    told.error = error

            thread = threading.Thread(target=run)
            thread.start()
            try:
                if started:
                    told.until(lambda: any(isinstance(step, Step) for step in told.told))
                yield told
            finally:
                watcher.stop.set()
                thread.join(LONG)
                assert not thread.is_alive()

    return watch


def paths_in(name="watched"):
    with Collection.open(name, create=False) as collection:
        return {os.path.basename(path) for document in collection.documents() for path in document.paths}


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


def test_a_path_that_vanishes_keeps_its_documents_and_is_watched_again(docs, watch, tmp_path):
    other = write_library(tmp_path / "other", count=1)
    with watch(docs, other) as told:
        docs.rename(tmp_path / "elsewhere")
        told.until(lambda: told.notices == ["absent"])
        assert str(docs) in told.told[-1].text
        (other / "still.txt").write_text("The Zephyr sank.")
        told.until_changes(("read", "still.txt"))
        (tmp_path / "elsewhere" / "log-02.txt").write_text("The Amalia came home.")
        (tmp_path / "elsewhere" / "log-01.txt").unlink()
        (tmp_path / "elsewhere").rename(docs)
        told.until(lambda: told.notices == ["absent", "back"])
        told.until(lambda: len(told.changes) == 3)
        assert sorted(told.changes[1:]) == [("removed", "log-01.txt"), ("replaced", "log-02.txt")]
        (docs / "after.txt").write_text("The Zephyr was found.")
        told.until(lambda: ("read", "after.txt") in told.changes)


def test_an_empty_directory_in_place_of_a_drive_keeps_the_documents(docs, watch, tmp_path):
    with watch(docs) as told:
        pass
    docs.rename(tmp_path / "drive")
    docs.mkdir()  # where it is mounted
    with watch(docs, started=False) as told:
        told.until(lambda: told.notices == ["absent"])
        docs.rmdir()
        (tmp_path / "drive" / "log-01.txt").unlink()
        (tmp_path / "drive").rename(docs)
        told.until(lambda: "back" in told.notices)
        told.until(lambda: any(isinstance(step, Step) for step in told.told))
    assert paths_in() == {"log-00.txt", "log-02.txt"}


def test_the_last_file_of_a_directory_can_be_deleted(docs, watch):
    with watch(docs) as told:
        for path in docs.iterdir():
            path.unlink()
        told.until(lambda: len(told.changes) == 3)
        assert {what for what, _ in told.changes} == {"removed"}
        assert told.notices == []
        (docs / "again.txt").write_text("The Zephyr sank.")
        told.until(lambda: ("read", "again.txt") in told.changes)


def test_what_went_with_a_drive_that_is_mounted_below_is_kept(docs):
    (root,) = roots_of([docs])
    place = watching._Place(root, root.path, holds=True)
    near, far = str(docs / "log-01.txt"), str(docs / "log-02.txt")
    assert {near, far} < place.look()
    assert place.look() == set()
    device, *others = place.files[far]
    place.files[far] = (device + 1, *others)  # it lay on another drive than the directory that is still there
    os.unlink(near)
    os.unlink(far)
    assert place.look() == {near}
    assert far in place.files


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


def test_where_the_system_can_watch_no_more_it_looks_by_itself(docs, watch, monkeypatch):
    import watchfiles

    def limit(*_, **__):
        raise OSError('OS file watch limit reached. about ["/somewhere"]')
        yield

    monkeypatch.setattr(watchfiles, "watch", limit)
    monkeypatch.setattr(watching, "POLL", 0.2)
    with watch(docs) as told:
        told.until(lambda: told.notices == ["polling"])
        (notice,) = [notice for notice in told.told if isinstance(notice, Notice)]
        assert "OS file watch limit reached" in notice.text
        (docs / "new.md").write_text("The Zephyr sank.")
        (docs / "log-00.txt").rename(docs / "moved.txt")
        (docs / "log-01.txt").unlink()
        told.until_changes(("read", "new.md"), ("moved", "moved.txt"), ("removed", "log-01.txt"))


def test_what_the_system_does_not_tell_of_is_found_all_the_same(docs, watch, monkeypatch):
    import watchfiles

    def silent(*_, stop_event, **__):
        while not stop_event.wait(0.05):
            yield set()

    monkeypatch.setattr(watchfiles, "watch", silent)
    with watch(docs, look=0.2) as told:
        (docs / "new.md").write_text("The Zephyr sank.")
        told.until_changes(("read", "new.md"))
        assert told.notices == []


def test_another_writer_is_waited_for(docs, watch, home, monkeypatch):
    monkeypatch.setattr(watching, "AGAIN", 0.1)
    monkeypatch.setattr("infinidoc.memory.manifest.LOCK_SECONDS", 0.1)
    with watch(docs) as told:
        with Store.lock(home / "collections" / "watched"):
            (docs / "new.md").write_text("The Zephyr sank.")
            told.until(lambda: told.notices == ["waiting"])
            assert "another process is writing" in told.told[-1].text
        told.until_changes(("read", "new.md"))
        assert told.notices == ["waiting"]  # once


def test_a_full_disk_is_told_of_once_whatever_was_to_be_written(docs, watch, monkeypatch):
    monkeypatch.setattr(watching, "AGAIN", 0.1)
    tried = []

    def full(handle):
        tried.append(handle)
        raise OSError(errno.ENOSPC, "No space left on device")

    with watch(docs) as told:
        with monkeypatch.context() as patched:
            patched.setattr(files, "flush", full)
            for text in ("The Zephyr sank.", "The Zephyr was found."):
                (docs / "new.md").write_text(text)
                told.until(lambda: told.notices == ["waiting"])
                told.until(lambda before=len(tried): len(tried) > before + 2)
            assert "make room" in told.told[-1].text
        told.until_changes(("read", "new.md"))
        assert told.notices == ["waiting"]


def test_what_can_not_be_read_is_told_once(docs, watch):
    (docs / "old.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    with watch(docs) as told:
        assert [change.what for change in told.told[0].changes].count("skipped") == 1
        (docs / "new.pdf").write_bytes(b"%PDF-1.4 not really")
        told.until_changes(("skipped", "new.pdf"))
        (docs / "log-00.txt").write_bytes(b"\x00\x01\x02\x03" * 50)
        told.until_changes(("skipped", "new.pdf"), ("skipped", "log-00.txt"))
        assert "is removed" in told.told[-1].changes[0].reason
    assert "log-00.txt" not in paths_in()


def test_stopping_in_the_middle_loses_nothing(tmp_path, watch, tiny):
    docs = write_library(tmp_path / "docs", count=60)
    seen = threading.Event()

    def notify(progress):
        if progress.tokens:
            seen.set()

    with watch(docs, started=False, notify=notify) as told:
        told.until(seen.is_set)
    assert told.error is None
    with watch(docs):
        pass
    assert paths_in() == set(os.listdir(docs))


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


def test_what_makes_no_sense_is_an_error_before_anything_is_read(docs, tiny):
    for paths, message in ((["-"], "standard input"), ([docs / "nothing"], "no such file or directory")):
        with (
            Collection.open("none", str(tiny), memory=True) as collection,
            pytest.raises(InfinidocError, match=message),
        ):
            next(Watcher(collection, paths).run())
        assert not Store.exists(collection.directory)


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
