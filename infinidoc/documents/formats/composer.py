"""Puts a document together, block by block, and remembers where its places begin."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from infinidoc.documents.charset import clean
from infinidoc.documents.document import MAX_CHARACTERS, TOO_LONG, Document, Mark, Unreadable

_LABEL = 100  # characters; a heading that is a paragraph in disguise must not fill a citation


class Block(NamedTuple):
    """A paragraph, list item or table row; `gap` stands between it and the block before it."""

    text: str
    gap: str
    heading: bool = False


class Composer:
    """For formats whose lines mean nothing to a person: their text is laid out anew, and located by marks."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._marks: list[Mark] = []
        self._next: tuple[str, bool] | None = None
        self._paragraphs: list[int] = []

    def mark(self, label: str, breaks: bool = False) -> None:
        """The next block begins a place of this name. A place without any block, such as an empty page, is dropped."""
        self._next = (" ".join(clean(label).split())[:_LABEL], breaks)

    def add(self, block: str, gap: str = "\n\n") -> None:
        """Appends a block after `gap`; blocks without text are dropped. Raises Unreadable once there is too much."""
        block = clean(block).rstrip().lstrip("\n")
        if not block.strip():
            return
        if self._parts:
            self._parts.append(gap)
            self._length += len(gap)
        if gap == "\n\n" or not self._parts:
            self._paragraphs.append(self._length)
        if self._next:
            self._marks.append(Mark(self._length, *self._next))
            self._next = None
        self._parts.append(block)
        self._length += len(block)
        if self._length > MAX_CHARACTERS:
            raise Unreadable(TOO_LONG)

    def add_blocks(self, blocks: Iterable[Block]) -> None:
        """Appends blocks, of which headings begin sections."""
        for block in blocks:
            if block.heading:
                self.mark(f"section {block.text}")
            self.add(block.text, block.gap)

    def document(self, format: str, pages: int = 0, notes: Sequence[str] = ()) -> Document:
        """All that was added. Without any mark, paragraphs are counted; text before the first one is "beginning"."""
        marks = self._marks or [Mark(start, f"paragraph {n}") for n, start in enumerate(self._paragraphs, 1)]
        if marks and marks[0].start > 0:
            marks = [Mark(0, "beginning"), *marks]
        return Document("".join(self._parts), format, tuple(marks), pages, tuple(notes))
