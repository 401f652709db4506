"""Files that people upload: copies in the collection's own directory, which go with their documents."""

import glob
import json
import re
import secrets
import shutil
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from infinidoc.documents.packed import file_of
from infinidoc.errors import InfinidocError
from infinidoc.files import PRIVATE, replacing, write
from infinidoc.memory.records import uploads_of

DEEPEST = 32  # folders
LONGEST = 200  # bytes of a name: file systems take 255, and a file that is being written has a longer one
AWAITED = ".awaited-{}.json"  # no file that is uploaded has such a name

# What can't be in a file's name on some system, or would steer a terminal.
UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)  # devices, on Windows


@dataclass(frozen=True)
class Upload:
    """A file as it was sent: `name` may have folders."""

    name: str
    content: BinaryIO


@dataclass(frozen=True)
class Parcel:
    """Files that came together and are to be read. Until they are, a `note` beside them says so: a crash loses none."""

    files: list[Path]
    note: Path

    def settle(self) -> None:
        """They are not waited for any more."""
        self.note.unlink(missing_ok=True)
        with suppress(OSError):  # others are still there
            self.note.parent.rmdir()


def relative_path(name: str) -> Path:
    """Where a file belongs, below the place for uploads. Raises InfinidocError for a name that can't be one."""
    parts = unicodedata.normalize("NFC", name).replace("\\", "/").split("/")
    if len(parts) > DEEPEST or not all(map(_fits, parts)):
        raise InfinidocError(f"{name!r} can't name a file here", "a path of plain names, such as folder/report.pdf")
    return Path(*parts)


def _fits(part: str) -> bool:
    return (
        bool(part.strip())
        and not part.startswith(".")
        and not part.endswith((".", " "))
        and not UNFIT.search(part)
        and not RESERVED.fullmatch(part)
        and len(part.encode()) <= LONGEST
    )


def keep(directory: Path, uploads: Sequence[Upload]) -> Parcel:
    """Writes files below a collection's directory, over those of the same name.

    Raises InfinidocError, before the first is written, for a name that can't be one; Unwritable if the disk is full.
    """
    root = uploads_of(directory)
    targets = [root / relative_path(upload.name) for upload in uploads]
    for target in targets:
        if not target.resolve().is_relative_to(root):  # by a link that somebody has put there
            raise InfinidocError(f"{target.name} would lie outside of the collection", "upload it elsewhere")
        if target.is_dir() or any(above.is_file() for above in target.parents):
            raise InfinidocError(f"{target.name} is a file and a folder", "rename one of them")
    parcel = Parcel(list(dict.fromkeys(targets)), root / AWAITED.format(secrets.token_hex(8)))
    new = [target for target in parcel.files if not target.exists()]
    try:
        write(parcel.note, json.dumps([target.relative_to(root).as_posix() for target in parcel.files]), PRIVATE)
        for target, upload in zip(targets, uploads, strict=True):
            with replacing(target, PRIVATE) as temporary, temporary.open("wb") as file:
                shutil.copyfileobj(upload.content, file, 1 << 20)
    except BaseException:
        discard(directory, new)
        parcel.settle()
        raise
    return parcel


def awaited(directory: Path) -> list[Parcel]:
    """What was uploaded and not read, because the server ended. What it left half written is deleted."""
    root, found = uploads_of(directory), []
    for note in sorted(root.glob(AWAITED.format("*"))):
        files = [root / name for name in json.loads(note.read_text("utf-8"))]
        for file in files:
            for unfinished in file.parent.glob(f".{glob.escape(file.name)}.*.tmp"):
                unfinished.unlink(missing_ok=True)
        found.append(Parcel([file for file in files if file.is_file()], note))
    return found


def discard(directory: Path, files: Sequence[Path]) -> None:
    """Deletes those files that were uploaded, and the folders that they leave empty. An archive goes with the first
    file in it: what was removed must not be left in there."""
    root = uploads_of(directory)
    for file in {Path(file_of(str(file))) for file in files}:
        if file.is_relative_to(root):
            file.unlink(missing_ok=True)
            with suppress(OSError):  # another file is in it
                for above in file.parents[: len(file.relative_to(root).parts)]:
                    above.rmdir()
