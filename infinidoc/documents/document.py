"""What a file becomes: its text, and where in the file each part of the text stands."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Self

# Text per document: compressed formats can hold any amount of it. Some 16 million tokens, hours of reading.
MAX_CHARACTERS = 64 << 20
MAX_MARKUP = 64 << 20  # bytes of XML or HTML that are parsed at once; the tree is ten to thirty times as large
TOO_LONG = f"more than {MAX_CHARACTERS >> 20} million characters of text: split it"


class Unreadable(Exception):
    """A file that can't become a document. The message says why, in a few words, without the file's name.

    `passing` says that this may have nothing to do with the file: a disk or network that fails, another program.
    """

    def __init__(self, reason: str, passing: bool = False):
        super().__init__(reason)
        self.passing = passing

    @classmethod
    def because(cls, error: OSError) -> Self:
        """A file that can't be opened. Permission that was taken away is meant to be; all else may come back."""
        if getattr(error, "winerror", None) in (32, 33):  # a sharing or lock violation, a PermissionError to Python
            return cls("in use by another program", passing=True)
        if isinstance(error, PermissionError):
            return cls("permission denied")
        return cls((error.strerror or "can't be read").lower(), passing=True)


@dataclass(frozen=True)
class Mark:
    """Where a page, slide, sheet, section or message begins.

    `start` is a character offset in the document's text; `label` is what a person would call the place: "page 3".
    `breaks` says that no passage may run across the mark: a page, slide, sheet, chapter or message.
    """

    start: int
    label: str
    breaks: bool = False


@dataclass(frozen=True)
class Document:
    """One file's text.

    `marks` are sorted by `start`. A document without marks is located by line: its text has the lines of its file.
    `pages` counts pages, slides or sheets; 0 where a format has none. `notes` say, a line each, what of the file could
    not be read, such as pages that are pictures.
    """

    text: str
    format: str
    marks: tuple[Mark, ...] = ()
    pages: int = 0
    notes: tuple[str, ...] = ()

    def locate(self, offset: int) -> str:
        """The place of a character, for a citation: "page 3", "sheet Prices", or "line 12"."""
        if not self.marks:
            return f"line {self.text.count(chr(10), 0, offset) + 1}"
        index = bisect_right(self.marks, offset, key=lambda mark: mark.start) - 1
        return self.marks[max(index, 0)].label


@dataclass(frozen=True)
class Passage:
    """A stretch of a document that is recalled and cited as one: `text[start:end]`, and its token ids."""

    start: int
    end: int
    ids: list[int]
