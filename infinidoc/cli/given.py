"""Text that people give: arguments, standard input, files of lines. What is not UTF-8 is read as documents are."""

import os
import sys
from pathlib import Path

from infinidoc.errors import InfinidocError


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

    name = str(file) if file else "standard input"
    try:
        text = clean(decode(file.read_bytes() if file else sys.stdin.buffer.read()))
    except Unreadable as error:
        raise InfinidocError(f"{name} is no text ({error})", "give one per line") from error
    return [line.strip() for line in text.split("\n") if line.strip()]
