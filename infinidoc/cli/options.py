"""Options that several commands share."""

from typing import Annotated

import typer

from infinidoc import warm
from infinidoc.errors import InfinidocError
from infinidoc.model.embedded import DEFAULT, EMBEDDED

LARGEST_SEED = 2**32 - 1  # that Python, NumPy and PyTorch all take

CollectionOption = Annotated[
    str | None,
    typer.Option("--collection", "-c", metavar="NAME", help="A named collection; default: this directory's own."),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help=f"The base model of a new collection: {', '.join(EMBEDDED)}, a directory, or a hub id; "
        f"default: INFINIDOC_MODEL, else {DEFAULT}.",
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


def a_time(text: str | None) -> str | None:
    """As it is. Raises InfinidocError if it is no time."""
    try:
        warm.seconds(text or "0")
    except ValueError:
        raise InfinidocError(f"{text!r} is no time", "write it as 90s, 10m or 2h, up to a week; 0 keeps none") from None
    return text


KeepOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        callback=a_time,
        help="Have a process stay that long with the model loaded, for the next question; 0 leaves it. "
        "Default: 10m at a terminal, else 0. (or INFINIDOC_KEEP)",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
