"""What goes wrong while files are watched: drives that go, full disks, other writers, an end in the middle."""

import errno
import os
import threading

import pytest

from infinidoc import files
from infinidoc.documents.discovery import roots_of
from infinidoc.errors import InfinidocError
from infinidoc.memory.store import Store
from infinidoc.reading import watching
from infinidoc.reading.collection import Collection
from infinidoc.reading.watching import Notice, Step, Watcher
from tests.reading.library import write_library
from tests.reading.watching.watch import paths_in


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


def test_what_makes_no_sense_is_an_error_before_anything_is_read(docs, tiny):
    for paths, message in ((["-"], "standard input"), ([docs / "nothing"], "no such file or directory")):
        with (
            Collection.open("none", str(tiny), memory=True) as collection,
            pytest.raises(InfinidocError, match=message),
        ):
            next(Watcher(collection, paths).run())
        assert not Store.exists(collection.directory)
