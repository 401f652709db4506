"""Options that several commands share."""

import time
from typing import Annotated

import typer

from infinidoc.model.embedded import DEFAULT, EMBEDDED

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
