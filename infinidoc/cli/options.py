"""Options that several commands share, and loading the model with something to look at meanwhile."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from infinidoc.cli import render
from infinidoc.errors import InfinidocError
from infinidoc.model.embedded import DEFAULT, EMBEDDED

if TYPE_CHECKING:
    from infinidoc.manyshot.task import Task
    from infinidoc.reading.collection import Collection

STARTED = time.perf_counter()  # the command, but for Python's own start

CollectionOption = Annotated[
    str | None,
    typer.Option("--collection", "-c", metavar="NAME", help="A named collection; default: this directory's own."),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        envvar="INFINIDOC_MODEL",
        help=f"The base model of a new collection: {', '.join(EMBEDDED)}, a directory, or a hub id; "
        f"default: {DEFAULT}.",
    ),
]
AdapterOption = Annotated[
    str | None,
    typer.Option(
        "--adapter",
        "-a",
        help="The adapter of a new collection: a name, a directory, or none; default: the one chosen or shipped.",
    ),
]
ReaderOption = Annotated[
    str | None,
    typer.Option(
        "--reader",
        "-r",
        metavar="NAME",
        help="What answers from the passages: own (the collection's model), another base model, or an OpenAI-style "
        "endpoint as URL#MODEL; default: what infinidoc readers use chose, else own.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


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


def loaded(target: "Collection | Task", to_write: bool = False) -> None:
    """Loads a collection's or a task's model: a bar while it is fetched the first time, a spinner while it loads."""
    from infinidoc.cli.models import fetch

    fetch(target.model)
    with loading("the model"):
        target.load(*[True] * to_write)  # a task has one precision


def ready_to_answer(target: "Collection", reader: str) -> None:
    """Loads what answers questions: the collection's model, by which passages are found, and the reader."""
    from infinidoc.cli.models import fetch
    from infinidoc.reading.readers import choice
    from infinidoc.reading.readers.endpoint import is_endpoint

    choice.check(reader)
    if not target.documents():
        raise InfinidocError("this collection is empty", "fill it with: infinidoc ingest PATH")
    loaded(target)
    if reader != choice.OWN and not is_endpoint(reader):
        fetch(reader)
        with loading("the reader"):
            target.reader(reader)
