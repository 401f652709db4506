"""PDF: the text of each page, its lines put together to paragraphs again."""

import ctypes
import itertools
import logging
import re
import statistics
import threading
from collections.abc import Iterator
from typing import NamedTuple

import pypdfium2
from pypdfium2 import raw

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats.composer import Composer

logging.getLogger("pypdfium2").addHandler(logging.NullHandler())  # a damaged file is reported by us, not on stderr

_pdfium = threading.Lock()  # PDFium may only be called by one thread at a time

_HYPHEN = "\ufffe"  # what PDFium gives for a hyphen at a line's end; it joins the two lines itself
_BULLET = re.compile(r"[•▪◦‣●■○–—]\s")
_LEADER = re.compile(r"[ \t]*(?:\.[ \t]?){5,}")  # the dots of a table of contents


class Line(NamedTuple):
    """A line of a page, in points from the page's lower left corner.

    `first` and `last` are the baselines of its first and last character: where a word was hyphenated, PDFium gives two
    lines as one.
    """

    text: str
    left: float
    right: float
    first: float
    last: float
    height: float


def read(data: bytes, format: str) -> Document:
    with _pdfium:
        try:
            source = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            encrypted = error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
            raise Unreadable("encrypted" if encrypted else "damaged, or not really .pdf") from error
        composer = Composer()
        try:
            for number, text in enumerate(map(paragraphs, _pages(source)), 1):
                composer.mark(f"page {number}", breaks=True)
                composer.add(text)
            document = composer.document(format, pages=len(source))
        finally:
            source.close()
    if not document.text:
        raise Unreadable("no text in it (scanned?)")
    return document


def _pages(source: pypdfium2.PdfDocument) -> Iterator[list[Line]]:
    for index in range(len(source)):
        try:
            page = source[index]
            textpage = page.get_textpage()
        except pypdfium2.PdfiumError:  # one damaged page; the others can still be read
            yield []
            continue
        try:
            yield list(_lines(textpage))
        finally:
            textpage.close()
            page.close()


def _lines(textpage: pypdfium2.PdfTextPage) -> Iterator[Line]:
    for match in re.finditer(r"[^\r\n]*\S", textpage.get_text_range()):
        text = match[0].lstrip()
        left, first, _, _ = _place(textpage, match.end() - len(text))
        _, last, right, height = _place(textpage, match.end() - 1)
        yield Line(text, left, right, first, last, height)


def _place(textpage: pypdfium2.PdfTextPage, index: int) -> tuple[float, float, float, float]:
    """Left edge, baseline, right edge and line height of a character; zeros if it is nowhere on the page."""
    index = raw.FPDFText_GetCharIndexFromTextIndex(textpage, index)
    x, y = ctypes.c_double(), ctypes.c_double()
    try:
        left, bottom, right, top = textpage.get_charbox(index, loose=True)
    except pypdfium2.PdfiumError:
        return 0.0, 0.0, 0.0, 0.0
    raw.FPDFText_GetCharOrigin(textpage, index, x, y)
    return left, y.value, right, top - bottom


def paragraphs(lines: list[Line]) -> str:
    """The text of a page: wrapped lines joined by a space, short ones kept, a blank line between paragraphs."""
    if not lines:
        return ""
    pairs = list(itertools.pairwise(lines))
    steps = [above.last - below.first for above, below in pairs]
    leading = statistics.median([step for step in steps if step > 0] or [0])
    blocks = [[lines[0]]]  # lines below one another at the usual distance
    for (above, below), step in zip(pairs, steps, strict=True):
        resized = abs(above.height - below.height) > 0.15 * max(above.height, below.height)
        if resized or not 0 < step <= 1.25 * leading:
            blocks.append([])
        blocks[-1].append(below)
    text = _unhyphenated("\n\n".join(_joined(block, _edge(block, lines)) for block in blocks))
    return _LEADER.sub(" … ", text)


def _edge(block: list[Line], lines: list[Line]) -> float:
    """Where the column of a block ends on the right: as far as most lines of the page go that begin below its first."""
    rights = sorted((line.right for line in lines if abs(line.left - block[0].left) < line.height), reverse=True)
    typical = rights[len(rights) // 5] if rights else 0  # a few lines may span several columns
    return max(typical, *(line.right for line in block))


def _joined(block: list[Line], right: float) -> str:
    text = block[0].text
    for above, below in itertools.pairwise(block):
        # A line was wrapped if the next word had no room on it; a Latin letter is about 0.4 line heights wide.
        dense = _is_dense(below.text[0])
        word = below.height * (1 if dense else 0.4 * len(below.text.split(None, 1)[0]))
        is_full = above.right + word > right
        is_indented = below.left > above.left + 0.5 * below.height
        if is_indented and not is_full:
            text += "\n\n"
        elif not text.endswith(_HYPHEN):
            is_item = _BULLET.match(below.text) or _LEADER.search(above.text) or (is_indented and text.endswith("."))
            space = "" if dense and _is_dense(text[-1]) else " "
            text += space if is_full and not is_item else "\n"
        text += below.text
    return text


def _is_dense(char: str) -> bool:
    """Whether it belongs to a script without spaces between words, such as Chinese and Japanese."""
    return "\u2e80" <= char < "\uac00"


def _unhyphenated(text: str) -> str:
    """A hyphen that a line's end made goes; one of a compound (state-of-the-art, a capital, a number) stays."""
    first, *others = text.split(_HYPHEN)
    mended = [first]
    for part in others:
        word = mended[-1][-40:].split(" ")[-1]
        made = word[-1:].islower() and part[:1].islower() and "-" not in word
        mended += ["" if made else "-", part]
    return "".join(mended)
