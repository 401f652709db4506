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
WithinOption = Annotated[
    list[str] | None,
    typer.Option(
        "--in",
        metavar="GLOB",
        help="Search only documents whose path matches: a folder, a file or a pattern as in .gitignore; repeatable.",
    ),
]
TypeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--type", metavar="FORMAT", help="Search only documents of this format, such as pdf or docx; repeatable."
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="DATE",
        help="Search only documents whose file was last changed on that day or later, as of when it was read: "
        "2024-05-31, 2024-05 or 2024.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
