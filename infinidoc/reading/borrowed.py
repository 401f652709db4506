"""Files that are in no collection, for as long as something is asked of them."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from infinidoc.errors import Damaged, InfinidocError
from infinidoc.memory.places import Place
from infinidoc.reading.collection import Collection
from infinidoc.reading.models import Models
from infinidoc.reading.summary import IngestProgress


@contextmanager
def holding(
    collection: Collection | None,
    names: Sequence[str],
    notify: Callable[[IngestProgress], None] = lambda progress: None,
    models: Models | None = None,
) -> Iterator[Collection]:
    """The collection, if it holds all of these documents; else one that holds these files alone, in a temporary
    directory, and is gone afterwards.

    Raises InfinidocError for a name that means neither, or a file that can't be read; Damaged for a collection that is.
    """
    if collection and all(_is_held(collection, name) for name in names):
        yield collection
        return
    for name in names:
        if os.path.isdir(name):
            raise InfinidocError(f"{name} is a directory", "name documents; several are read side by side")
        if not os.path.isfile(name):
            where = " in this collection, nor such a file" if collection else ": there is no such file"
            raise InfinidocError(f"no document {name}{where}", "see: infinidoc documents list")
    with (
        TemporaryDirectory(prefix="infinidoc-") as directory,
        Collection(Place("borrowed", Path(directory)), models=models) as borrowed,
    ):
        summary = borrowed.ingest(names, notify=notify)
        for skipped in summary.skipped:
            raise InfinidocError(f"{skipped.name} can't be read ({skipped.reason})")
        yield borrowed


def _is_held(collection: Collection, name: str) -> bool:
    try:
        return bool(collection.find(name))
    except Damaged:
        raise
    except InfinidocError:
        return False
