"""A full disk, read-only media, another process, damage: each is its own line, and reading goes on where it can."""

import errno
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from infinidoc import files
from infinidoc.errors import Damaged, InfinidocError, Unwritable
from infinidoc.memory import manifest, places
from infinidoc.memory.manifest import MANIFEST
from infinidoc.memory.store import Store
from tests.memory.test_store import HEAD, IDENTITY, entry, fill, found, new, state


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "collection", IDENTITY, HEAD) as store:
        fill(store, a=1)
        yield store


def one_line(caught, *parts):
    line = str(caught.value)
    assert "\n" not in line
    assert "damaged" not in line
    assert "remove" not in line
    for part in parts:
        assert part in line


def test_a_full_disk_is_called_full_and_nothing_is_lost(store):
    pages = store._query("PRAGMA page_count")[0][0]
    store._run(f"PRAGMA max_page_count = {pages}")  # SQLite's own "database or disk is full"
    with store.writing():
        big = new(store, "b", 2, text="long " * 20_000)
        with pytest.raises(Unwritable) as caught:
            store.commit([big], [], state(2.0))
    one_line(caught, "is full", "make room")
    store.log_answer(entry("long? " * 20_000))  # no log, and no failure
    assert found(store) == {"a": {1}}
    assert store.log() == []
    store._run("PRAGMA max_page_count = 100000")
    with store.writing():
        store.commit([new(store, "b", 2)], [], state(2.0))
    assert found(store) == {"a": {1}, "b": {2}}


def test_a_tensor_that_does_not_fit_is_called_so(store, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "flush", full)
    with store.writing(), pytest.raises(Unwritable) as caught:
        new(store, "b", 2)
    one_line(caught, f"{store.directory} can't be written", "no space left", "make room")
    assert found(store) == {"a": {1}}
    assert not list(store.directory.glob(files.UNFINISHED))


@pytest.mark.parametrize("running", [False, True])
def test_on_read_only_media_reading_goes_on(tmp_path, as_nobody, running):
    """Files and directory without write permission, and not the superuser; `running`: SQLite's log beside it."""
    with Store.create(Path.cwd() / "collection", IDENTITY, HEAD) as store:
        fill(store, a=1)
    directory, left = store.directory, None
    if running:
        left = sqlite3.connect(directory / MANIFEST)
        left.execute("UPDATE meta SET value = '7' WHERE key = 'revision'")
        left.commit()
    for path in directory.iterdir():
        path.chmod(0o444)
    directory.chmod(0o555)
    as_nobody()
    assert Store.exists(directory)
    with Store.open(directory) as store:
        assert store.read_only or running
        assert found(store) == {"a": {1}}
        assert store.revision == (7 if running else 1)
        assert store.state() is not None
        store.log_answer(entry("can this be kept?"))
        assert store.log() == []
        with pytest.raises(Unwritable) as caught, store.writing():
            pass
        one_line(caught, "can't be written")
    if left:
        left.close()


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "make room"), (errno.EROFS, "read-only"), (errno.EACCES, "permissions")]
)
def test_a_collection_that_can_only_be_read_says_why(store, monkeypatch, number, said):
    def refused(*_, **__):
        raise OSError(number, os.strerror(number))

    store.read_only = True  # what SQLite leaves of all three
    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    with pytest.raises(Unwritable) as caught, store.writing():
        pass
    one_line(caught, str(store.directory), os.strerror(number).lower(), said)


def test_a_locked_collection_is_called_locked(store, monkeypatch):
    store.close()
    holder = sqlite3.connect(store.directory / MANIFEST, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN IMMEDIATE")
    holder.execute("UPDATE meta SET value = value")
    monkeypatch.setattr(manifest, "SQL_SECONDS", 0.1)
    with pytest.raises(Unwritable) as caught:
        Store.open(store.directory)
    one_line(caught, "another process is using the collection", "try again")
    holder.execute("ROLLBACK")
    holder.close()
    with Store.open(store.directory) as again:
        assert found(again) == {"a": {1}}


def damage(directory):
    file = directory / MANIFEST
    size = file.stat().st_size
    file.write_bytes(os.urandom(size))


def test_damage_is_called_damage_and_says_how_to_look(store):
    store.close()
    damage(store.directory)
    with pytest.raises(Damaged, match=r"is damaged.*infinidoc collections check collection"):
        Store.open(store.directory)
    assert Store.exists(store.directory)


def test_damage_that_shows_late_is_called_so_too(store):
    with store.writing():
        store.commit([new(store, f"d{i}", i + 2, text=f"text {i} " * 2000) for i in range(20)], [], state(1.0))
    store.close()
    file = store.directory / MANIFEST
    with file.open("r+b") as opened:
        opened.seek(4096 * 12)
        opened.write(b"\xa5" * 4096 * 40)
    with pytest.raises(Damaged, match="is damaged"):  # noqa: SIM117
        with Store.open(store.directory) as store:
            store.counts()


def test_one_damaged_collection_hides_no_other_and_can_be_removed(home):
    for name in ("good", "bad"):
        Store.create(home / "collections" / name, IDENTITY, HEAD).close()
    damage(home / "collections" / "bad")
    assert [place.name for place in places.places()] == ["bad", "good"]
    places.remove("bad")
    assert [place.name for place in places.places()] == ["good"]


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
def test_nobody_else_may_read_what_is_kept(store):
    old = os.umask(0o022)
    try:
        fill(store, b=2)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.directory.iterdir()}
        assert len(modes) > 5
        assert {name: mode for name, mode in modes.items() if mode != 0o600 and name != ".lock"} == {}
        (store.directory / MANIFEST).chmod(0o644)  # as older versions had it
        fill(store, c=3)
        assert stat.S_IMODE((store.directory / MANIFEST).stat().st_mode) == 0o600
    finally:
        os.umask(old)


def test_a_writer_killed_in_a_commit_leaves_the_old_state_or_the_new(store):
    killed = """
import os, sys
from pathlib import Path
from infinidoc.memory.store import Store
from tests.memory.test_store import new, state
with Store.open(Path(sys.argv[1])) as store, store.writing():
    old = store.documents()[0]
    store._forget_log = lambda: os._exit(9)
    store.commit([new(store, "b", 2)], [old.id], state(2.0))
"""
    secret = b"one two three. four five."
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", killed, str(store.directory)], check=False, env=here)
    assert done.returncode == 9
    assert found(store) == {"b": {2}}
    with store.writing():  # the next writer empties SQLite's log
        store.commit([], [store.documents()[0].id], None)
    for path in store.directory.iterdir():
        assert secret not in path.read_bytes()


def test_what_is_not_there_can_not_be_written_into(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InfinidocError, match="can't be written"):
        Store.create(tmp_path / "file" / "collection", IDENTITY, HEAD)
