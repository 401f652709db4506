"""The one way a file is written: beside its place, synced, then put in its place."""

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from infinidoc.errors import Unwritable

PRIVATE = 0o600  # for what only its owner may read
UNFINISHED = ".*.tmp"  # what a crash may leave beside a file: a pattern for whoever sweeps

_HINTS = {
    errno.ENOSPC: "make room on that disk, then try again",
    errno.EDQUOT: "your quota is used up: make room, then try again",
    errno.EROFS: "that disk is read-only: choose another place",
    errno.EACCES: "you may not write there: choose another place, or change its permissions",
    errno.EPERM: "you may not write there: choose another place, or change its permissions",
}


def tensor_header(file: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """What a safetensors file says of its tensors, and its metadata, without torch or numpy, which take long to import.

    Of each tensor, by name: dtype, shape and data_offsets. Raises ValueError for a file that is damaged.
    Source: https://huggingface.co/docs/safetensors/#format
    """
    with file.open("rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
        rest = os.fstat(opened.fileno()).st_size - 8 - size
        header = json.loads(opened.read(size)) if rest >= 0 else None
    if not isinstance(header, dict):
        raise ValueError("it is no safetensors file")
    metadata = header.pop("__metadata__", {})
    try:
        end = max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError("it is no safetensors file") from error
    if end != rest:
        raise ValueError("its end is missing")
    return header, metadata


@contextmanager
def replacing(target: Path, mode: int = 0o666) -> Iterator[Path]:
    """An empty file beside `target` to write to; on leaving it becomes `target`, in one step and for good.

    A crash or an exception at any instant leaves what was there before. Directories are made as needed. `mode` is
    narrowed by the umask. Raises Unwritable where the disk is full, or may not be written to.
    """
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
        yield temporary
        _sync(temporary)
        os.replace(temporary, target)
        sync_directory(target.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise cant_write(target, error) from error
        raise


def write(target: Path, content: str | bytes, mode: int = 0o666) -> None:
    """Puts text (as UTF-8) or bytes into a file, all of it or nothing; see `replacing`."""
    with replacing(target, mode) as temporary:
        temporary.write_bytes(content.encode("utf-8", "replace") if isinstance(content, str) else content)


def write_json(target: Path, value: Any) -> None:
    """Puts a value into a file as JSON that people can read; see `replacing`."""
    write(target, json.dumps(value, indent=1, ensure_ascii=False))


def cant_write(target: Path, error: OSError) -> Unwritable:
    """One line for a file that couldn't be written: why, and what to do."""
    reason = (error.strerror or str(error)).lower()
    return Unwritable(f"{target} can't be written ({reason})", _HINTS.get(error.errno or 0))


def _sync(file: Path) -> None:
    with open(file, "rb+") as opened:  # Windows syncs only what is open for writing
        flush(opened.fileno())


def flush(handle: int) -> None:
    """Has a file's content reach the disk, not only the drive's cache (macOS: F_FULLFSYNC)."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)  # type: ignore[attr-defined]
        return
    os.fsync(handle)


def sync_directory(directory: Path) -> None:
    """Makes renames and new names in a directory survive a power cut, where the system has a way to."""
    if os.name == "nt":
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:  # some network and FUSE file systems don't sync directories
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.ENOSYS):
            raise
    finally:
        os.close(handle)
