"""Text that people give: arguments, standard input, files of lines. What is not UTF-8 is read as documents are."""

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from infinidoc.errors import InfinidocError

if TYPE_CHECKING:
    from infinidoc.reading.collection import Collection
    from infinidoc.reading.scope import Scope


def argument(text: str) -> str:
    """An argument, or a line that was typed."""
    from infinidoc.documents.charset import Unreadable, clean, decode

    try:
        return clean(decode(os.fsencode(text)))  # a byte that is not UTF-8 comes as half a character
    except (UnicodeEncodeError, Unreadable):  # halves that no byte stands behind; or control characters only
        return clean(text)


def lines(file: Path | None = None) -> list[str]:
    """The lines of a file, without blank ones; those of standard input, without a file.

    Raises InfinidocError for one that is no text, OSError for one that can't be read.
    """
    from infinidoc.documents.charset import Unreadable, clean, decode
    from infinidoc.documents.formats import limited

    name = str(file) if file else "standard input"
    try:
        with file.open("rb") if file else nullcontext(sys.stdin.buffer) as opened:
            text = clean(decode(limited(opened)))
    except Unreadable as error:
        raise InfinidocError(f"{name} can't be read ({error})", "give one per line") from error
    return [line.strip() for line in text.split("\n") if line.strip()]


def questions(arguments: Sequence[str], file: Path | None, command: str) -> list[str]:
    """All questions: arguments first, "-" replaced by the lines of standard input, then the file's lines."""
    wanted: list[str] = []
    for question in arguments:
        wanted += lines() if question == "-" else [argument(question).strip()]
    if file is not None:
        wanted += lines(file)
    wanted = [question for question in wanted if question]
    if not wanted:
        raise InfinidocError("no question", f'ask something: infinidoc {command} "What is …?"')
    return wanted


def scope(
    collection: "Collection", within: Sequence[str] | None, kinds: Sequence[str] | None, since: str | None
) -> "Scope":
    """What --in, --type and --since mean. Raises InfinidocError if no document of the collection is meant."""
    from infinidoc.reading.scope import Scope, day

    wanted = Scope(tuple(within or ()), tuple(kinds or ()), day(since) if since is not None else None)
    wanted.files(collection.store)
    return wanted
