"""Where collections are: one per working directory in `.infinidoc`, named ones under the home directory."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from infinidoc.errors import InfinidocError
from infinidoc.home import home
from infinidoc.memory.store import Store

LOCAL = ".infinidoc"
HERE = "."  # what the commands call the working directory's own collection
NAME = re.compile(r"[^\W_][\w.-]{0,99}")


@dataclass(frozen=True)
class Place:
    """A collection's name ("." for the working directory's own) and directory."""

    name: str
    directory: Path


def place(name: str | None = None) -> Place:
    """Where a collection is, or would be. None and "." mean the working directory's own.

    Raises InfinidocError for a name that can't be one.
    """
    if name is None or name == HERE:
        return Place(HERE, Path.cwd() / LOCAL)
    if not NAME.fullmatch(name):
        raise InfinidocError(f"{name!r} can't name a collection", "use letters, digits, dots, dashes and underscores")
    return Place(name, home() / "collections" / name)


def existing(name: str | None = None) -> Place:
    """Where a collection is. Raises InfinidocError if there is none, naming those that there are."""
    found = place(name)
    require(found)
    return found


def require(place: Place) -> None:
    """Raises InfinidocError if there is no collection at a place, naming those that there are."""
    if Store.exists(place.directory):
        return
    if place.name == HERE:
        raise InfinidocError(f"{place.directory.parent} has no collection", "make one with: infinidoc ingest PATH")
    names = ", ".join(other.name for other in places() if other.name != HERE) or "none"
    raise InfinidocError(f"there is no collection {place.name}", f"the named ones are: {names}")


def places() -> list[Place]:
    """All collections in reach: the working directory's own, if there is one, then the named ones."""
    root = home() / "collections"
    named = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    candidates = [place(), *(place(name) for name in named if NAME.fullmatch(name))]
    return [candidate for candidate in candidates if Store.exists(candidate.directory)]


def remove(name: str | None) -> Place:
    """Deletes a collection whole. Raises InfinidocError if there is none, or another process is writing to it."""
    found = existing(name)
    with Store.open(found.directory) as store, store.writing():
        # Gone at once for everybody else, even if deleting the files takes a while or is cut short.
        rubbish = found.directory.with_name(f".{found.directory.name}.removed-{os.getpid()}")
        os.replace(found.directory, rubbish)
    shutil.rmtree(rubbish)
    return found


def rename(old: str | None, new: str) -> Place:
    """Gives a collection another name; the working directory's own becomes a named one.

    Raises InfinidocError if there is none, the new name is taken, or the two lie on different disks.
    """
    source, target = existing(old), place(new)
    if target.directory.exists():
        raise InfinidocError(f"there already is a collection {new}", "remove it first, or choose another name")
    target.directory.parent.mkdir(parents=True, exist_ok=True)
    with Store.open(source.directory) as store, store.writing():
        try:
            os.rename(source.directory, target.directory)
        except OSError as error:
            raise InfinidocError(f"can't move {source.directory} to {target.directory} ({error.strerror})") from error
    return target
