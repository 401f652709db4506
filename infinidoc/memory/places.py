"""Where collections and tasks are: a project's own collection in `.infinidoc`, named ones under the home directory."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from infinidoc.errors import InfinidocError
from infinidoc.files import cant_write
from infinidoc.home import home
from infinidoc.memory.manifest import Manifest
from infinidoc.memory.records import LOCAL, uploads_of
from infinidoc.memory.store import Store

HERE = "."  # what the commands call the project's own collection
NAME = re.compile(r"[^\W_][\w.-]{0,99}")


@dataclass(frozen=True)
class Place:
    """A collection's name ("." for the project's own) and directory."""

    name: str
    directory: Path


def place(name: str | None = None) -> Place:
    """Where a collection is, or would be.

    None and "." mean the working directory's own, or that of the nearest directory above which has one.
    Raises InfinidocError for a name that can't be one.
    """
    if name is None or name == HERE:
        here = Path.cwd()
        project = next((above for above in (here, *here.parents) if Store.exists(above / LOCAL)), here)
        return Place(HERE, project / LOCAL)
    return Place(name, home() / "collections" / checked(name, Store))


def checked(name: str, store: type[Manifest]) -> str:
    """The name. Raises InfinidocError for one that can't be a directory's anywhere."""
    if not NAME.fullmatch(name):
        raise InfinidocError(f"{name!r} can't name a {store.kind}", "use letters, digits, dots, dashes and underscores")
    return name


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
    names = ", ".join(named(home() / "collections", Store)) or "none"
    raise InfinidocError(f"there is no collection {place.name}", f"the named ones are: {names}")


def places() -> list[Place]:
    """All collections in reach, damaged ones as well: the project's own, if there is one, then the named ones."""
    own = place()
    others = [place(name) for name in named(home() / "collections", Store)]
    return [own, *others] if Store.exists(own.directory) else others


def with_uploads() -> list[Place]:
    """The collections in reach that files were uploaded to, also those that aren't made yet."""
    found = [place(), *map(place, _names(home() / "collections"))]
    return [one for one in found if uploads_of(one.directory).is_dir()]


def named(root: Path, store: type[Manifest]) -> list[str]:
    """The names of what a directory holds of a kind."""
    return [name for name in _names(root) if store.exists(root / name)]


def _names(root: Path) -> list[str]:
    names = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    return list(filter(NAME.fullmatch, names))


def remove(name: str | None) -> Place:
    """Deletes a collection whole. Raises InfinidocError if there is none, or another process is writing to it."""
    found = existing(name)
    delete(found.directory, Store)
    return found


def delete(directory: Path, store: type[Manifest]) -> None:
    """Deletes a collection or task, be it damaged. Raises InfinidocError if another process is writing to it."""
    rubbish = directory.with_name(f".{directory.name}.removed-{os.getpid()}")
    with store.lock(directory):
        # Gone at once for everybody else, even if deleting the files takes a while or is cut short.
        try:
            os.replace(directory, rubbish)
        except OSError as error:
            raise cant_write(directory, error) from error
    shutil.rmtree(rubbish)


def rename(old: str | None, new: str) -> Place:
    """Gives a collection another name; the project's own becomes a named one.

    Raises InfinidocError if there is none, the new name is taken, or the two lie on different disks.
    """
    source, target = existing(old), place(new)
    if target.directory.exists():
        raise InfinidocError(f"there already is a collection {new}", "remove it first, or choose another name")
    target.directory.parent.mkdir(parents=True, exist_ok=True)
    with Store.open(source.directory) as store, store.writing():
        store.name_in_full()  # its files stay where they are
        try:
            os.rename(source.directory, target.directory)
        except OSError as error:
            raise InfinidocError(f"can't move {source.directory} to {target.directory} ({error.strerror})") from error
    return target
