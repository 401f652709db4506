"""A file is there whole or not at all, whatever happens while it is written."""

import errno
import json
import os
import stat
import threading

import pytest

from infinidoc import files
from infinidoc.errors import InfinidocError


def test_what_is_written_is_there_and_nothing_else(tmp_path):
    target = tmp_path / "made" / "on the way" / "a.txt"
    files.write(target, "Käse\n")
    assert target.read_bytes() == b"K\xc3\xa4se\n"
    files.write(target, b"\0\xff")
    assert target.read_bytes() == b"\0\xff"
    files.write_json(target, {"a": ["ö", 1]})
    assert json.loads(target.read_text("utf-8")) == {"a": ["ö", 1]}
    assert list(target.parent.iterdir()) == [target]


def test_half_a_letter_is_no_reason_to_lose_the_file(tmp_path):
    files.write(tmp_path / "a.txt", "a\ud800b")
    assert (tmp_path / "a.txt").read_bytes() == b"a?b"


def test_a_failure_leaves_what_was_there(tmp_path):
    target = tmp_path / "a.txt"
    files.write(target, "old")

    def fail_halfway():
        with files.replacing(target) as temporary:
            temporary.write_text("half of what")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert target.read_text() == "old"
    assert not list(tmp_path.glob(files.UNFINISHED))


@pytest.mark.parametrize(
    ("number", "hint"),
    [(errno.ENOSPC, "make room"), (errno.EDQUOT, "quota"), (errno.EROFS, "read-only"), (errno.EACCES, "permissions")],
)
def test_why_a_file_can_not_be_written_is_one_line(tmp_path, monkeypatch, number, hint):
    def full(handle):
        raise OSError(number, os.strerror(number))

    target = tmp_path / "a.txt"
    files.write(target, "old")
    monkeypatch.setattr(files, "flush", full)
    with pytest.raises(InfinidocError, match=hint) as caught:
        files.write(target, "new")
    assert str(target) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert target.read_text() == "old"
    assert not list(tmp_path.glob(files.UNFINISHED))


def test_content_is_synced_before_it_gets_its_name_and_the_name_after(tmp_path, monkeypatch):
    done = []
    genuine = os.replace
    monkeypatch.setattr(files, "flush", lambda handle: done.append("content"))
    monkeypatch.setattr(os, "replace", lambda *names: (done.append("name"), genuine(*names)))
    monkeypatch.setattr(files, "sync_directory", lambda directory: done.append("directory"))
    files.write(tmp_path / "a.txt", "new")
    assert done == ["content", "name", "directory"]


def test_a_file_system_that_does_not_sync_directories_is_no_failure(tmp_path, monkeypatch):
    def refuse(number):
        def fsync(handle):
            raise OSError(number, os.strerror(number))

        return fsync

    monkeypatch.setattr(os, "fsync", refuse(errno.EINVAL))
    files.sync_directory(tmp_path)
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    with pytest.raises(OSError, match="error"):
        files.sync_directory(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
def test_private_is_private_and_the_rest_follows_the_umask(tmp_path):
    old = os.umask(0o022)
    try:
        files.write(tmp_path / "mine", "x", files.PRIVATE)
        files.write(tmp_path / "ours", "x")
    finally:
        os.umask(old)
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("mine", "ours")}
    assert modes == {"mine": 0o600, "ours": 0o644}


def test_writers_at_the_same_time_do_not_mix(tmp_path):
    target = tmp_path / "a"
    texts = [letter * 100_000 for letter in "abcdefgh"]
    threads = [threading.Thread(target=files.write, args=(target, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_text() in texts
    assert not list(tmp_path.glob(files.UNFINISHED))
