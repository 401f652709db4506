"""Pages of a PDF: where on one some words stand, and the page as a picture."""

import io
import itertools
import math
import re
import sys
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ctypes import c_int
from typing import Any, NamedTuple

import pypdfium2
from pypdfium2 import raw

from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats.pdf_annotations import entries_and_comments
from infinidoc.documents.wording import Letters

WIDTH = 1_240  # pixels of a drawn page: A4 at 150 to the inch
PIXELS = 4_000_000  # that it may have at most
SECONDS = 8.0  # that drawing it may take
LONGEST = 20_000  # characters that are looked for: more than a page has
SHORTEST = 8  # letters of a part that is looked for by itself
ENOUGH = 0.5  # of an excerpt's letters that must be found to mark any
AROUND = 200  # letters before and after that tell which of several occurrences is meant
UNITS = 1 << 20  # of a page's width and height: PDFium gives places on it as whole numbers

_NAMES = re.compile(r"(?:^|(?<=; ))[^:;]{1,80}: ")  # of columns, before the values of a row

NOWHERE = "These words can't be found on the page itself, which is shown unmarked."
PICTURE = "This page is a picture: the words that were read from it (OCR) can't be marked on it."
PARTLY = "Only some of these words can be found on the page itself."


class Box(NamedTuple):
    """A rectangle on a page as it is shown: turned upright, cropped, with 0, 0 at the upper left and 1, 1 at the lower
    right."""

    left: float
    top: float
    right: float
    bottom: float


Rectangle = tuple[float, float, float, float]


class Excerpt(NamedTuple):
    """Words to be found, and what comes before and after them in the text that was read from the page."""

    before: str
    words: str
    after: str


class Sign(NamedTuple):
    """A character that a page shows, and the rectangle that it fills: left, bottom, right and top, in points from the
    page's lower left corner."""

    character: str
    rectangle: Rectangle
    sideways: bool = False


def find(source: pypdfium2.PdfDocument, index: int, excerpt: Excerpt) -> tuple[tuple[Box, ...], str]:
    """The boxes that an excerpt fills on a page (from 0), one for each line, and a note if not all of it is found.

    What was read is no longer what PDFium says stands on the page: lines became paragraphs, hyphens went, entries of
    forms came in, values got the names of their columns. So letters are looked for. Raises Unreadable for a page that
    is damaged.
    """
    excerpt = excerpt._replace(words=excerpt.words.strip()[:LONGEST])
    wanted = len(Letters(excerpt.words).signs)
    with _page(source, index) as page:
        signs = list(_signs(page))
        found = list(_found(excerpt, Letters("".join(sign.character for sign in signs))))
        lines = [line for begin, end, _ in found for line in _lines(signs[begin:end])]
        boxes = tuple(box for box in (_as_shown(page, *line) for line in lines) if box)
    covered = sum(letters for _, _, letters in found)
    if not boxes or covered < ENOUGH * wanted:
        written = any(not sign.character.isspace() for sign in signs)
        return (), (NOWHERE if written else PICTURE) if excerpt.words else ""
    return boxes, PARTLY if covered < wanted else ""


def draw(source: pypdfium2.PdfDocument, index: int) -> bytes:
    """A page (from 0) as PNG, with what is filled into it. Raises Unreadable if it is damaged or takes too long."""
    with _page(source, index) as page:
        width, height = page.get_size()
        scale = min(WIDTH / width, math.sqrt(PIXELS / (width * height)))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        bitmap = pypdfium2.PdfBitmap.new_native(*size, raw.FPDFBitmap_BGR)
        try:
            bitmap.fill_rect((255, 255, 255, 255), 0, 0, *size)
            deadline = time.monotonic() + SECONDS
            pause = raw.IFSDK_PAUSE(version=1)
            pypdfium2.internal.set_callback(pause, "NeedToPauseNow", lambda _: time.monotonic() > deadline)
            where: Any = (bitmap, page, 0, 0, *size, 0, raw.FPDF_ANNOT)
            status = raw.FPDF_RenderPageBitmap_Start(*where, pause)
            raw.FPDF_RenderPage_Close(page)
            if status != raw.FPDF_RENDER_DONE:
                raise Unreadable("it takes too long" if status == raw.FPDF_RENDER_TOBECONTINUED else "damaged")
            if source.formenv:
                raw.FPDF_FFLDraw(source.formenv, *where)
            file = io.BytesIO()
            bitmap.to_pil().save(file, "PNG", compress_level=3)
            return file.getvalue()
        finally:
            bitmap.close()


@contextmanager
def _page(source: pypdfium2.PdfDocument, index: int) -> Iterator[pypdfium2.PdfPage]:
    try:
        page = source[index]
    except pypdfium2.PdfiumError:
        raise Unreadable("this page is damaged") from None
    try:
        yield page
    finally:
        page.close()


def _signs(page: pypdfium2.PdfPage) -> Iterator[Sign]:
    """What is written on a page, then what is filled into it. What isn't shown is blank."""
    left, bottom, right, top = page.get_cropbox()
    textpage = page.get_textpage()
    try:
        for index in range(textpage.count_chars()):
            code = raw.FPDFText_GetUnicode(textpage, index)
            try:
                box = textpage.get_charbox(index, loose=True)
            except pypdfium2.PdfiumError:  # it is nowhere
                box = (0.0, 0.0, 0.0, 0.0)
            is_shown = box[0] < right and box[2] > left and box[1] < top and box[3] > bottom
            sideways = abs(math.sin(raw.FPDFText_GetCharAngle(textpage, index))) > 0.7
            yield Sign(chr(code) if is_shown and 0 < code <= sys.maxunicode else " ", box, sideways)
    finally:
        textpage.close()
    for text, *edges in entries_and_comments(page)[0]:
        box = edges[0], edges[1], edges[2], edges[3]
        yield from (Sign(character, box) for character in f" {text}")


def _found(excerpt: Excerpt, there: Letters) -> Iterator[tuple[int, int, int]]:
    """Where an excerpt stands in the text of a page, as (begin, end, how many of its letters that are): whole, or else
    line by line."""
    wanted, before, after = Letters(excerpt.words), Letters(excerpt.before).signs, Letters(excerpt.after).signs
    size = len(wanted.signs)

    def alike(start: int) -> int:
        return _shared(before[::-1], there.signs[:start][::-1]) + _shared(after, there.signs[start + size :])

    if starts := list(_occurrences(wanted.signs, there.signs)):
        start = max(starts, key=alike)
        begin, end = there.places[start], there.places[start + size - 1]
        # with what stands before its first letter and after its last one
        yield max(0, begin - wanted.places[0]), end + len(excerpt.words) - wanted.places[-1], size
        return
    last = 0
    for line in excerpt.words.splitlines():
        for start, size, letters in _found_line(line, there, last):
            last = start + size
            yield there.places[start], there.places[last - 1] + 1, letters


def _found_line(line: str, there: Letters, last: int) -> Iterator[tuple[int, int, int]]:
    """Where a line stands among the letters of a page, as (start, size, how many of its own that are), rather after
    `last` than before: whole, or without the names of columns, or else its longest parts."""
    whole = Letters(line).signs
    for kept in (line, _NAMES.sub("", line)):
        letters = Letters(kept)
        start = _start(letters, there, last)
        if start >= 0:
            yield start, len(letters.signs), len(whole)
            return
    place = 0
    while place + SHORTEST <= len(whole):
        rest = whole[place:]
        size = bisect_left(range(len(rest)), 1, key=lambda size: rest[: size + 1] not in there.signs)
        if size < SHORTEST:
            place += 1
            continue
        start = _next(rest[:size], there.signs, last)
        yield start, size, size
        place, last = place + size, start + size


def _start(wanted: Letters, there: Letters, last: int) -> int:
    """Where a line begins; -1 if it is nowhere. A short one must stand there once, as whole words."""
    if len(wanted.signs) >= SHORTEST:
        return _next(wanted.signs, there.signs, last)
    places = there.find(wanted)
    return bisect_left(there.places, places[0][0]) if len(places) == 1 else -1


def _next(wanted: str, there: str, last: int) -> int:
    """Where letters stand after a place, else before it; -1 if nowhere."""
    return max(there.find(wanted, last), there.find(wanted))


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = itertools.islice(zip(one, other, strict=False), AROUND)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _occurrences(wanted: str, there: str) -> Iterator[int]:
    start = there.find(wanted) if wanted else -1
    while start >= 0:
        yield start
        start = there.find(wanted, start + 1)


def _lines(signs: Iterable[Sign]) -> list[Rectangle]:
    """The rectangles that characters fill, those of a line as one."""
    lines: list[Rectangle] = []
    for character, box, sideways in signs:
        if character.isspace():
            continue
        if lines and _goes_on(lines[-1], box, sideways):
            line = lines[-1]
            lines[-1] = min(line[0], box[0]), min(line[1], box[1]), max(line[2], box[2]), max(line[3], box[3])
        else:
            lines.append(box)
    return lines


def _goes_on(line: Rectangle, box: Rectangle, sideways: bool) -> bool:
    """Whether a character stands on the line before it: at its height, and near it."""
    along, across = (1, 0) if sideways else (0, 1)
    size = min(line[across + 2] - line[across], box[across + 2] - box[across])
    shared = min(line[across + 2], box[across + 2]) - max(line[across], box[across])
    gap = max(line[along], box[along]) - min(line[along + 2], box[along + 2])
    return shared > 0.5 * size and gap < 2 * size


def _as_shown(page: pypdfium2.PdfPage, left: float, bottom: float, right: float, top: float) -> Box | None:
    """A rectangle in the page's own coordinates as it is shown; None if it isn't."""
    x, y = c_int(), c_int()
    corners = []
    for corner in ((left, bottom), (right, top)):
        raw.FPDF_PageToDevice(page, 0, 0, UNITS, UNITS, 0, *corner, x, y)
        corners.append([min(1.0, max(0.0, value.value / UNITS)) for value in (x, y)])
    (x0, x1), (y0, y1) = (sorted(pair) for pair in zip(*corners, strict=True))
    return Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
