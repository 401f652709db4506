"""Which collections the server has, and what stays open between questions."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from infinidoc.errors import InfinidocError
from infinidoc.memory.manifest import MANIFEST
from infinidoc.memory.places import HERE, Place, place, places, require, with_uploads
from infinidoc.memory.records import uploads_of
from infinidoc.reading.answers import display
from infinidoc.reading.collection import Collection
from infinidoc.reading.models import Models
from infinidoc.reading.readers.choice import OWN

PROJECT = "_"  # what clients call the project's own collection: no name begins so, and "." can't stand in an address
MODELS = 2  # one to ask with, one to read documents with


class Unknown(InfinidocError):
    """There is no such collection, document or job."""


class Library:
    """The collections that clients may see: `only` these, or all in reach. Their models are loaded once, and they take
    turns. `reader` is what answers (see `Collection.reader`): clients can't choose another one."""

    def __init__(self, only: Sequence[str] = (), reader: str = OWN):
        self.reader, self.models = reader, Models(MODELS)
        self._only = {_id(one): one for one in map(place, only)}
        self._open: dict[str, tuple[object, Collection]] = {}
        self._lock = Lock()

    def places(self) -> dict[str, Place]:
        """Those that there are, by what clients call them."""
        there = {_id(one): one for one in places()}
        return {name: there.get(name, one) for name, one in self._only.items()} if self._only else there

    def with_uploads(self) -> dict[str, Place]:
        """Those that files were uploaded to, also if they are not made yet."""
        there = {_id(one): one for one in with_uploads()}
        return {name: one for name, one in there.items() if not self._only or name in self._only}

    def place(self, name: str, create: bool = False) -> Place:
        """Raises Unknown if there is none; with `create` one that can be made will do."""
        found = self.places().get(name)
        if found is None and create and not self._only and name not in (PROJECT, HERE):
            return place(name)
        if found is None:
            raise Unknown(f"there is no collection {name!r}", "GET /api/collections lists them")
        if not create:
            try:
                require(found)
            except InfinidocError as error:
                raise Unknown(str(error)) from error
        return found

    def open(self, name: str, create: bool = False) -> Collection:
        """One to look into, or to change, and to close: nobody waits for its turn meanwhile."""
        return Collection(self.place(name, create), models=self.models)

    def to_ask(self, name: str) -> Collection:
        """The one that all ask, kept open for as long as it is what is on the disk. Raises Unknown."""
        found = self.place(name)
        status = (found.directory / MANIFEST).stat()
        identity = found.directory, status.st_dev, status.st_ino
        with self._lock:
            known = self._open.get(name)
            if known is None or known[0] != identity:
                known = self._open[name] = identity, Collection(found, models=self.models)
            return known[1]

    def close(self) -> None:
        for _, collection in self._open.values():
            collection.close()


def _id(one: Place) -> str:
    return PROJECT if one.name == HERE else one.name


def title(one: Place) -> str:
    """A collection's name for people: that of its directory, for a project's own."""
    return one.directory.parent.name or one.name if one.name == HERE else one.name


def shown(path: str, directory: Path) -> str:
    """A document's name: as it was when it was uploaded into that collection, else as `display` has it."""
    uploads = uploads_of(directory)
    return Path(path).relative_to(uploads).as_posix() if Path(path).is_relative_to(uploads) else display(path)
