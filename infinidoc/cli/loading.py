"""Loading models, with something to look at meanwhile."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infinidoc.cli import render
from infinidoc.cli.models import fetch
from infinidoc.errors import InfinidocError

if TYPE_CHECKING:
    from infinidoc.manyshot.task import Task
    from infinidoc.reading.collection import Collection
    from infinidoc.reading.models import Models

MODELS: "Models | None" = None  # those of the warm process, which outlive a command


def opened(collection: str | None) -> "Collection":
    """A collection to ask. Raises InfinidocError if there is none."""
    from infinidoc.reading.collection import Collection

    return Collection.open(collection, create=False, models=MODELS)


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Says so on a terminal. Looking through the millions of objects of torch and transformers as they come takes long,
    and so does it later on: Python's garbage collector passes them over."""
    gc.disable()
    try:
        with render.status(f"loading {what}"):
            yield
    finally:
        gc.freeze()
        gc.enable()


def loaded(target: "Collection | Task", **purpose: bool) -> None:
    """Loads a collection's or a task's model: a bar while it is fetched the first time, a spinner while it loads."""
    fetch(target.model)
    with loading("the model"):
        target.load(**purpose)


def ready_to_search(target: "Collection", only: bool = True) -> None:
    """Loads what finds passages: the collection's model, and, if they are not the `only` thing wanted, its reader."""
    if not target.documents():
        raise InfinidocError("this collection is empty", "fill it with: infinidoc ingest PATH")
    loaded(target, to_search=only)


def ready_to_answer(target: "Collection", reader: str) -> None:
    """Loads what answers questions: the collection's model, by which passages are found, and the reader."""
    from infinidoc.reading.readers import choice
    from infinidoc.reading.readers.endpoint import is_endpoint

    choice.check(reader)
    ready_to_search(target, only=reader != choice.OWN)
    if reader != choice.OWN and not is_endpoint(reader):
        fetch(reader)
        with loading("the reader"):
            target.reader(reader)
