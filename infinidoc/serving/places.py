"""The source in place: from a range of a document's characters to the page or the lines where a person reads them.

Only what was read is ever shown: pages of a PDF are drawn from a file that has the digest it had then; for all else,
and once the file has changed or gone, there is the text that the collection keeps.
"""

import hashlib
import os
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from infinidoc.documents import packed
from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import load
from infinidoc.documents.formats.pdf import opened, page_number
from infinidoc.errors import InfinidocError
from infinidoc.memory.records import StoredDocument, StoredFile
from infinidoc.memory.store import Store
from infinidoc.reading.answers import display
from infinidoc.serving.pages import Box, Excerpt, draw, find

PART = 8_000  # characters of a text that are shown at once, more or less
AROUND = 1_500  # characters before and after what is marked that are shown with it
PAGES_KEPT = 16  # drawn pages, some hundred kilobytes each

T = TypeVar("T")


@dataclass(frozen=True)
class Line:
    """A line of a document's text, which begins at the offset `start` there.

    `label` is what its place is called where one begins with it: "page 3", or "line 12" in a document that is located
    by line. `marks` are the (start, end) in `text` of what is to be seen.
    """

    start: int
    label: str
    text: str
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Place:
    """Where something stands in a document. `note` says, in a sentence, what isn't shown as it stands in the file.

    Either a page to be drawn, number `page` (from 1) of `pages`, on which `boxes` are marked; or, where `page` is 0,
    `lines` of text: more of it is at the offsets `before` and `after`, unless they are None.
    """

    document: str
    format: str
    place: str
    note: str = ""
    page: int = 0
    pages: int = 0
    boxes: tuple[Box, ...] = ()
    lines: tuple[Line, ...] = ()
    before: int | None = None
    after: int | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "page" if self.page else "text", **asdict(self)}


def place(store: Store, document: int, start: int, end: int, at: int | None = None, as_text: bool = False) -> Place:
    """Where the characters `start` to `end` of a document's text stand, marked.

    In a PDF that is a page, unless `as_text`; else text: what surrounds them, or what is at the offset `at` instead.
    Raises InfinidocError if there is no such document, or no such range of it.
    """
    stored, whole = _stored(store, document), store.document(document)
    if not 0 <= start <= end <= len(whole.text) or not 0 <= (at or 0) <= len(whole.text):
        raise InfinidocError(f"{display(stored.path)} has no such place", f"it has {len(whole.text):,} characters")
    about = Place(display(stored.path), whole.format, whole.locate(start))

    on_page = whole.format == "pdf" and at is None and not as_text

    def shown(file: StoredFile) -> Place | None:
        data = _bytes(file)
        return _on_page(about, whole, data, start, end) if on_page else None

    note = ""
    if os.path.isabs(stored.path):  # standard input is no file
        try:
            if page := _of_a_file(store, stored, shown):
                return page
        except Unreadable as reason:
            note = f"{str(reason)[:1].upper()}{str(reason)[1:]}. This is the text that was read from it."
    return _as_text(replace(about, note=note), whole, start, end, at)


def page_png(store: Store, document: int, number: int) -> bytes:
    """A page of a PDF, from 1, as a picture. Raises InfinidocError if there is none, or it can't be drawn any more."""
    stored = _stored(store, document)
    if stored.format != "pdf" or not 0 < number <= stored.pages:
        raise InfinidocError(f"{display(stored.path)} has no page {number} to draw", "look at its text")
    try:
        return _of_a_file(store, stored, lambda file: _drawn(file, number))
    except Unreadable as reason:
        raise InfinidocError(
            f"can't draw page {number} of {display(stored.path)} ({reason})", "look at its text"
        ) from None


def _stored(store: Store, document: int) -> StoredDocument:
    try:
        return store.stored(document)
    except (IndexError, OverflowError):
        raise InfinidocError(
            f"there is no document {document} in this collection", "it may have been removed"
        ) from None


def _of_a_file(store: Store, stored: StoredDocument, use: Callable[[StoredFile], T]) -> T:
    """What `use` makes of the first of a document's files that is as it was read. Raises Unreadable if none is."""
    failed = Unreadable("the file is no longer there")
    for path in stored.paths:
        if found := store.of_path(path):
            try:
                return use(StoredFile(path, found.digest, found.bytes))
            except Unreadable as reason:
                failed = reason
    raise failed


def _bytes(file: StoredFile) -> bytes:
    is_there = os.path.isfile(packed.file_of(file.path))
    if not is_there or not (os.path.isfile(file.path) or packed.member(file.path)):
        raise Unreadable("the file is no longer there")
    data = load(Path(file.path))
    if hashlib.sha256(data).hexdigest() != file.digest:
        raise Unreadable("the file has changed since it was read")
    return data


@lru_cache(PAGES_KEPT)
def _drawn(file: StoredFile, number: int) -> bytes:
    with opened(_bytes(file)) as source:
        return draw(source, number - 1)


def _on_page(about: Place, whole: Document, data: bytes, start: int, end: int) -> Place:
    index = bisect_right(whole.marks, start, key=lambda mark: mark.start) - 1
    number = page_number(whole.marks[index].label)
    begin = whole.marks[index].start
    stop = whole.marks[index + 1].start if index + 1 < len(whole.marks) else len(whole.text)
    with opened(data) as source:
        if number is None or number > len(source):
            raise Unreadable("nobody knows which page this is")
        wanted = Excerpt(whole.text[begin:start], whole.text[start : min(end, stop)], whole.text[min(end, stop) : stop])
        boxes, note = find(source, number - 1, wanted)
        return replace(about, page=number, pages=len(source), boxes=boxes, note=note)


def _as_text(about: Place, whole: Document, start: int, end: int, at: int | None) -> Place:
    length = len(whole.text)
    first, last = (start - AROUND, min(end, start + PART) + AROUND) if at is None else (at, at)
    begin = _joint(whole, _part(whole, max(0, first)))
    stop = _joint(whole, _part(whole, min(length, last)) + 1)
    lines = tuple(_lines(whole, begin, stop, start, end))
    return replace(about, lines=lines, before=begin - 1 if begin else None, after=stop if stop < length else None)


def _part(whole: Document, offset: int) -> int:
    """The number of the part of a text that a character is in."""
    return offset // PART - (offset < _joint(whole, offset // PART))


def _joint(whole: Document, part: int) -> int:
    """Where a part of a text begins: at a place, else at a line; a function of nothing but the text."""
    least = part * PART
    if least <= 0 or least >= len(whole.text):
        return max(0, min(least, len(whole.text)))
    index = bisect_left(whole.marks, least, key=lambda mark: mark.start)
    if index < len(whole.marks) and whole.marks[index].start < least + PART:
        return whole.marks[index].start
    newline = whole.text.find("\n", least, least + PART - 1)
    return newline + 1 if newline >= 0 else least


def _lines(whole: Document, begin: int, stop: int, start: int, end: int) -> Iterator[Line]:
    number = whole.text.count("\n", 0, begin) + 1
    label = whole.locate(begin)
    for text in whole.text[begin:stop].removesuffix("\n").split("\n"):
        after = begin + len(text) + 1
        if whole.marks:
            first, last = (bisect_left(whole.marks, offset, key=lambda mark: mark.start) for offset in (begin, after))
            label = ", ".join(mark.label for mark in whole.marks[first:last]) or label
        else:
            label = f"line {number}"
        low, high = max(start, begin) - begin, min(end - begin, len(text))
        yield Line(begin, label, text, ((low, high),) if text[low : max(low, high)].strip() else ())
        begin, number, label = after, number + 1, ""
