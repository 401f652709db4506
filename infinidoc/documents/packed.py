"""Archives that are folders of documents (.zip, .tar, .tar.gz, .tgz): each file in one is a file of its own.

Its path is the archive's and its name in there, `letters.zip/2026/roof.docx`; nothing is ever unpacked to the disk.
"""

import os
import re
import stat
import tarfile
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import PurePath
from typing import IO, Protocol

from infinidoc.documents.charset import clean, decode
from infinidoc.documents.document import Unreadable

MAX_MEMBERS = 100_000
MAX_UNPACKED = 4 << 30  # bytes of all its files; each is read by itself
_NAMES = re.compile(r".*\.(zip|tar|tgz|tar\.gz)", re.I | re.S)
_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, OverflowError, NotImplementedError,
    RuntimeError, OSError,
)  # fmt: skip
_LEADS_OUT = re.compile(r"(?:[A-Za-z]:)?[/\\]|(?:.*[/\\])?\.\.(?:[/\\]|$)", re.S)

_lock = threading.Lock()  # an archive that is open has one place at which it is read


class Packed(Protocol):
    """A file in an archive."""

    name: str
    size: int

    def read(self, limit: int) -> bytes:
        """No more bytes than the limit. Raises Unreadable."""


def has_name_of_one(path: str) -> bool:
    return _NAMES.fullmatch(path) is not None


def members(path: str) -> list[Packed | tuple[str, str]]:
    """The files of an archive by their names; of those that can't be read the name, and why.

    Raises Unreadable if none can.
    """
    try:
        status = os.stat(path)
        return _contents(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise Unreadable.because(error) from None


def member(path: str) -> Packed | None:
    """The file that a path means which leads into an archive; None if there is none. Raises Unreadable for an archive
    that can't be read."""
    archive, name = _split(path)
    if not archive:
        return None
    found = (one for one in members(archive) if not isinstance(one, tuple))
    return next((one for one in found if one.name == name), None)


def file_of(path: str) -> str:
    """The file on the disk in which something stands: the archive of what is in one, else the file itself."""
    return _split(path)[0] or path


def _split(path: str) -> tuple[str, str]:
    """The archive, and the name in it; two empty strings for a path that leads into none."""
    for parent in PurePath(path).parents:
        if has_name_of_one(parent.name) and os.path.isfile(parent):
            return str(parent), PurePath(path).relative_to(parent).as_posix()
    return "", ""


@lru_cache(maxsize=1)  # its files come one after the other
def _contents(path: str, size: int, changed: int) -> list[Packed | tuple[str, str]]:
    file = open(path, "rb")  # noqa: SIM115 (its members read from it)
    try:
        found = list(islice(_zipped(file) if file.read(2) == b"PK" else _tarred(file), MAX_MEMBERS + 1))
    except Unreadable:
        raise
    except _DAMAGED as error:
        raise Unreadable("damaged: not a complete archive") from error
    if len(found) > MAX_MEMBERS:
        raise Unreadable(f"more than {MAX_MEMBERS:,} files in it: unpack it")
    if sum(one.size for one in found) > MAX_UNPACKED:
        raise Unreadable(f"larger than {MAX_UNPACKED >> 30} GB once unpacked")
    return _usable(found)


def _usable(found: list[Packed]) -> list[Packed | tuple[str, str]]:
    """What is no rubbish, and has a name of its own; of several with one name the last, which is the latest."""
    last = {one.name: one for one in found}
    usable: list[Packed | tuple[str, str]] = []
    for one in found:
        parts = re.split(r"[/\\]", one.name)
        if _LEADS_OUT.match(one.name):
            usable.append((re.sub(r"[/\\]+|\.\.+", " ", one.name).strip(), "its name leads out of the archive"))
        elif last[one.name] is not one:
            usable.append((one.name, "its name is in the archive again, and that file is read"))
        elif one.name and not any(part.startswith((".", "~$")) or part in ("", "__MACOSX") for part in parts):
            usable.append(one)
    return sorted(usable, key=lambda one: one[0] if isinstance(one, tuple) else one.name)


class _Zipped:
    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo):
        self._archive, self._info = archive, info
        self.name, self.size = _zip_name(info), info.file_size

    def read(self, limit: int) -> bytes:
        if self._info.flag_bits & 1:
            raise Unreadable("encrypted")
        try:
            with _lock, self._archive.open(self._info) as stream:
                return stream.read(limit)
        except _DAMAGED as error:
            raise Unreadable("damaged in its archive") from error


def _zip_name(info: zipfile.ZipInfo) -> str:
    """Names that don't say so are in an encoding of the time and place, which is guessed."""
    name = info.filename
    if not info.flag_bits & 0x800 and not name.isascii():
        with suppress(UnicodeEncodeError, Unreadable):
            name = decode(name.encode("cp437"))
    return clean(name).replace("\n", " ")


def _zipped(file: IO[bytes]) -> Iterator[Packed]:
    archive = zipfile.ZipFile(file)
    infos = archive.infolist()
    if infos and all(info.flag_bits & 1 for info in infos if not info.is_dir()):
        raise Unreadable("encrypted")
    for info in infos:
        if not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16):
            yield _Zipped(archive, info)


class _Tarred:
    def __init__(self, archive: tarfile.TarFile, info: tarfile.TarInfo):
        self._archive, self._info = archive, info
        self.name = clean(info.name.removeprefix("./").encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        self.size = info.size

    def read(self, limit: int) -> bytes:
        try:
            with _lock:
                stream = self._archive.extractfile(self._info)
                return stream.read(limit) if stream else b""
        except _DAMAGED as error:
            raise Unreadable("damaged in its archive") from error


def _tarred(file: IO[bytes]) -> Iterator[Packed]:
    archive = tarfile.open(fileobj=_unzipped(file))  # noqa: SIM115
    for info in archive:
        if info.isreg():
            yield _Tarred(archive, info)


def _unzipped(file: IO[bytes]) -> IO[bytes]:
    """What gzip packed, in a file without name, in which one can go back and forth."""
    file.seek(0)
    if file.read(2) != b"\x1f\x8b":
        file.seek(0)
        return file
    file.seek(0)
    whole = tempfile.TemporaryFile()  # noqa: SIM115
    engine = zlib.decompressobj(wbits=31)
    while chunk := file.read(1 << 20):
        while chunk:
            whole.write(engine.decompress(chunk, 1 << 24))
            if whole.tell() > MAX_UNPACKED:
                raise Unreadable(f"larger than {MAX_UNPACKED >> 30} GB once unpacked")
            chunk = engine.unconsumed_tail
            if engine.eof:
                chunk, engine = engine.unused_data, zlib.decompressobj(wbits=31)
    whole.seek(0)
    return whole
