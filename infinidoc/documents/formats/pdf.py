"""PDF: the text of each page, its lines put together to paragraphs again."""

import ctypes
import itertools
import logging
import math
import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pypdfium2
from pypdfium2 import raw

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import ocr
from infinidoc.documents.formats.composer import Composer
from infinidoc.documents.formats.pdf_annotations import Entry, entries_and_comments
from infinidoc.documents.formats.pdf_paragraphs import HYPHEN, Cell, Line
from infinidoc.documents.formats.pdf_tables import Pages

logging.getLogger("pypdfium2").addHandler(logging.NullHandler())  # a damaged file is reported by us, not on stderr

_pdfium = threading.Lock()  # PDFium may only be called by one thread at a time

_MORE = 1.3  # times the text that a page has, if pictures on it have any worth reading
_LOWER = 0.6  # line heights between baselines: more than an index is lowered
_ROOM = 0.7  # line heights between two cells of a table, more than between words
_LITTLE = 200  # characters of text over a picture that are a stamp or a heading rather than the page


class Page(NamedTuple):
    """What a page shows. `pictures` is the share of it that they cover; None where there are none."""

    lines: list[Line]
    comments: list[str]
    pictures: float | None = None
    damaged: bool = False
    undecoded: bool = False  # fonts don't say which letters their shapes are


def read(data: bytes, format: str) -> Document:
    with opened(data) as source:
        contents = _contents(source)
    pages, texts = contents.pages, contents.texts
    unread = _unread(pages, texts)
    recognised = []
    for number in unread.pictures + unread.stamped + unread.undecoded if ocr.is_installed() else ():
        found, text = ocr.text_of(_drawn(data, number - 1)), texts[number - 1]
        if len(found) > _MORE * len(text) or number in unread.undecoded:
            texts[number - 1] = found
            recognised.append(number)
    composer = Composer()
    for index, (page, text, label) in enumerate(zip(pages, texts, contents.labels, strict=True)):
        composer.mark(_labelled(label, index + 1, len(pages)), breaks=True)
        for block in (*_missing(contents.headings.get(index, []), text), text, *page.comments):
            composer.add(block)
    if contents.attachments:
        composer.add(f"Attachments: {', '.join(contents.attachments)}")
    notes = _notes(unread, recognised, len(texts))
    if contents.form == raw.FORMTYPE_XFA_FULL:
        notes.append("a form that only Adobe's reader shows (XFA): print it to a new PDF")
    document = composer.document(format, len(pages), notes)
    if not document.text:
        raise Unreadable("no text found on its pages" if ocr.is_installed() else f"no text in it: scans? {ocr.HINT}")
    return document


@contextmanager
def opened(data: bytes) -> Iterator[pypdfium2.PdfDocument]:
    """A PDF with its forms, while no other thread uses PDFium. Raises Unreadable if it can't be opened."""
    with _pdfium:
        try:
            source = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            encrypted = error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
            raise Unreadable("encrypted" if encrypted else "damaged, or not really .pdf") from error
        try:
            if source.get_formtype():
                source.init_forms()
            yield source
        finally:
            source.close()


class _Contents(NamedTuple):
    """What a file holds: its pages, their texts and printed labels; bookmarks by page."""

    pages: list[Page]
    texts: list[str]
    labels: list[str]
    headings: dict[int, list[str]]
    attachments: list[str]
    form: int


def _contents(source: pypdfium2.PdfDocument) -> _Contents:
    pages, texts, written = [], [], Pages()
    for page in _pages(source):
        texts.append(written.text(page.lines))
        pages.append(page._replace(lines=[]))
    labels = [source.get_page_label(index) for index in range(len(source))]
    attachments = [source.get_attachment(index).get_name() for index in range(source.count_attachments())]
    return _Contents(pages, texts, labels, _bookmarks(source), attachments, source.get_formtype())


def _labelled(printed: str, number: int, total: int) -> str:
    """What a page is called: by its number in the file, after the one that is printed on it where that is another."""
    return f"page {number}" if printed in ("", f"{number}") else f"page {printed} ({number} of {total})"


def page_number(label: str) -> int | None:
    """The number in the file, from 1, of the page with this label; None if it isn't a whole one."""
    found = re.fullmatch(r"page (\d+)|page .* \((\d+) of \d+\)", label)
    return int(found[1] or found[2]) if found else None


class _Unread(NamedTuple):
    """Numbers of pages that hold more than could be read: pictures alone, pictures under a stamp, and so on."""

    pictures: list[int]
    stamped: list[int]
    undecoded: list[int]
    damaged: list[int]


def _unread(pages: list[Page], texts: list[str]) -> _Unread:
    lines = Counter(line for text in texts for line in {_masked(line) for line in text.splitlines()})
    stamps = {line for line, pages_with in lines.items() if pages_with > 1 and 2 * pages_with >= len(pages)}
    found = _Unread([], [], [], [])
    for number, (page, text) in enumerate(zip(pages, texts, strict=True), 1):
        if page.damaged:
            found.damaged.append(number)
        elif page.pictures is not None and not text.strip():
            found.pictures.append(number)
        elif page.pictures is not None and len(text) < _LITTLE:
            is_stamp = all(_masked(line) in stamps for line in text.splitlines())
            if page.pictures > (0.05 if is_stamp else 0.5):
                found.stamped.append(number)
        elif page.undecoded:
            found.undecoded.append(number)
    return found


def _drawn(data: bytes, index: int) -> Any:
    """A page as an image for OCR, which takes seconds: others may use PDFium meanwhile."""
    with opened(data) as source:
        page = source[index]
        scale = min(ocr.DOTS, ocr.LONGEST_SIDE / max(*page.get_size(), 1))
        image = page.render(scale=scale, rev_byteorder=True).to_numpy().copy()
        page.close()
        return image


def _notes(unread: _Unread, recognised: list[int], total: int) -> list[str]:
    """What of the pages could not be read, or only as pictures, a line each."""
    said = {"{} can't be read: damaged": unread.damaged, "{} read from pictures (OCR)": sorted(recognised)}
    if ocr.is_installed():
        said["no text found on {}: pictures"] = sorted({*unread.pictures} - {*recognised})
    else:
        said[f"no text on {{}}: pictures, such as scans; {ocr.HINT}"] = unread.pictures
        said[f"hardly any text on {{}}: pictures, such as scans under a stamp; {ocr.HINT}"] = unread.stamped
        said[f"letters on {{}} are unknown: its fonts don't say which they are; {ocr.HINT}"] = unread.undecoded
    return [line.format(_numbered(numbers, total)) for line, numbers in said.items() if numbers]


def _masked(line: str) -> str:
    return re.sub(r"\d+", "#", line.strip())


def _numbered(numbers: list[int], total: int) -> str:
    """[2, 3, 4, 7] of 9 as "4 of 9 pages (2-4, 7)"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    shown = ", ".join("-".join(map(str, run)) for run in runs[:20]) + (", …" if len(runs) > 20 else "")
    return f"{len(numbers)} of {total} page{'s' * (total != 1)} ({shown})"


def _bookmarks(source: pypdfium2.PdfDocument) -> dict[int, list[str]]:
    """The titles of the outline, by the page that they lead to."""
    found: dict[int, list[str]] = {}
    for bookmark in itertools.islice(source.get_toc(), 100_000):
        target = bookmark.get_dest()
        page = target.get_index() if target else None
        if page is not None:
            found.setdefault(page, []).append(bookmark.get_title())
    return found


def _missing(titles: list[str], text: str) -> list[str]:
    """Those of a page's titles that the page itself doesn't show."""
    words = set(re.findall(r"\w+", text.lower())) if titles else set()
    return [title for title in titles if not set(re.findall(r"\w+", title.lower())) <= words]


def _pages(source: pypdfium2.PdfDocument) -> Iterator[Page]:
    for index in range(len(source)):
        try:
            page = source[index]
            textpage = page.get_textpage()
        except pypdfium2.PdfiumError:  # the others can still be read
            yield Page([], [], damaged=True)
            continue
        try:
            entries, comments = entries_and_comments(page)
            lines = _with_entries(textpage, _downwards(_lines(textpage, page.get_cropbox())), entries)
            little = sum(len(line.text) for line in lines) < _LITTLE
            yield Page(lines, comments, _pictures(page) if little else None, undecoded=_is_undecoded(textpage))
        finally:
            textpage.close()
            page.close()


def _pictures(page: pypdfium2.PdfPage) -> float | None:
    """The share of the page that pictures cover, at most 1, letters drawn as lines included; None without any."""
    kinds = (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_PATH)
    width, height = page.get_size()
    area, paths, images = 0.0, 0, 0
    for thing in itertools.islice(page.get_objects(filter=kinds, max_depth=5), 10_000):
        if thing.type == raw.FPDF_PAGEOBJ_PATH:
            paths += 1
            continue
        images += 1
        left, bottom, right, top = thing.get_bounds()
        area += max(0, min(right, width) - max(left, 0)) * max(0, min(top, height) - max(bottom, 0))
    return min(1.0, area / (width * height)) if images or paths > 100 else None


def _is_undecoded(textpage: pypdfium2.PdfTextPage) -> bool:
    count = textpage.count_chars()
    sample = range(0, count, max(1, count // 200))
    return bool(sample) and sum(raw.FPDFText_HasUnicodeMapError(textpage, index) == 1 for index in sample) > 0.3 * len(
        sample
    )


def _lines(textpage: pypdfium2.PdfTextPage, box: tuple[float, float, float, float]) -> Iterator[tuple[int, Line]]:
    """The lines of a page, each after the offset of its first character in the page's text.

    What lies outside of `box` (left, bottom, right, top) isn't shown, and left out.
    """
    for row in re.finditer(r"[^\r\n]+", textpage.get_text_range()):
        text = row[0].strip()
        start = row.start() + len(row[0]) - len(row[0].lstrip())
        end = start + len(text) - 1
        if not text or not (_is_inside(textpage, start, box) or _is_inside(textpage, end, box)):
            continue
        words = list(re.finditer(r"\S+", text))
        for first, last in _runs(textpage, start, words):
            begin, stop = words[first].start(), words[last].end()
            yield start + begin, _line(textpage, start + begin, text[begin:stop])


def _runs(textpage: pypdfium2.PdfTextPage, start: int, words: list[re.Match[str]]) -> Iterator[tuple[int, int]]:
    """The first and last of words that stand on one line: PDFium goes on around corners, and from row to row of tables.

    A hyphenated word may end on the next line.
    """
    last = start + words[-1].end() - 1
    turns = _turns(textpage, start)
    _, baseline, _, height = _place(textpage, start, turns)
    if turns == _turns(textpage, last) and abs(_place(textpage, last, turns)[1] - baseline) < _LOWER * height:
        yield 0, len(words) - 1
        return
    begin = 0
    for index, word in enumerate(words):
        here = _turns(textpage, start + word.start())
        lower = abs(_place(textpage, start + word.start(), here)[1] - baseline) > _LOWER * height
        if index and (here != turns or lower):
            yield begin, index - 1
            begin = index
        turns = _turns(textpage, start + word.end() - 1)
        _, baseline, _, height = _place(textpage, start + word.end() - 1, turns)
    yield begin, len(words) - 1


def _is_inside(textpage: pypdfium2.PdfTextPage, index: int, box: tuple[float, float, float, float]) -> bool:
    left, bottom, right, top = box
    from_left, baseline, to_right, height = _place(textpage, index)
    return not height or (to_right > left and from_left < right and bottom - height < baseline < top)


def _downwards(found: Iterator[tuple[int, Line]]) -> list[tuple[int, Line]]:
    """PDFium gives some turned lines from the last to the first."""
    runs: list[list[tuple[int, Line]]] = []
    for start, line in found:
        last = runs[-1][-1][1] if runs else None
        if last and line.turns and line.turns == last.turns and last.first < line.first:
            runs[-1].append((start, line))
        else:
            runs.append([(start, line)])
    return [pair for run in runs for pair in reversed(run)]


def _line(textpage: pypdfium2.PdfTextPage, start: int, text: str) -> Line:
    turns = _turns(textpage, start)
    left, first, _, _ = _place(textpage, start, turns)
    _, last, right, height = _place(textpage, start + len(text) - 1, turns)
    cells = () if turns or first != last else _cells(textpage, start, text, height)
    if text[-1] in "\xad\u2010":
        text = text[:-1] + HYPHEN
    return Line(text, left, right, first, last, height, turns, cells)


def _cells(textpage: pypdfium2.PdfTextPage, start: int, text: str, height: float) -> tuple[Cell, ...]:
    """The parts of a line between which there is more room than between words; none if it has only one."""
    gaps = [
        (gap.start(), gap.end(), end, begin)
        for gap in re.finditer(r"\s+", text)
        if (begin := _place(textpage, start + gap.end())[0]) - (end := _place(textpage, start + gap.start() - 1)[2])
        > _ROOM * height
    ]
    edges = [(0, _place(textpage, start)[0]), *((after, left) for _, after, _, left in gaps)]
    ends = [*((before, right) for before, _, right, _ in gaps), (len(text), _place(textpage, start + len(text) - 1)[2])]
    pairs = zip(edges, ends, strict=True)
    return tuple(Cell(text[a:b], left, right) for (a, left), (b, right) in pairs) if gaps else ()


def _turns(textpage: pypdfium2.PdfTextPage, index: int) -> int:
    """By how many right angles, counterclockwise, a character is turned."""
    angle = raw.FPDFText_GetCharAngle(textpage, raw.FPDFText_GetCharIndexFromTextIndex(textpage, index))
    turns = -2 * angle / math.pi
    return round(turns) % 4 if angle >= 0 and abs(turns - round(turns)) < 0.1 else 0


def _place(textpage: pypdfium2.PdfTextPage, index: int, turns: int = 0) -> tuple[float, float, float, float]:
    """Left edge, baseline, right edge and line height of a character; zeros if it is nowhere on the page.

    With `turns` they are those of the page turned back by so many right angles.
    """
    index = raw.FPDFText_GetCharIndexFromTextIndex(textpage, index)
    x, y = ctypes.c_double(), ctypes.c_double()
    try:
        left, bottom, right, top = textpage.get_charbox(index, loose=True)
    except pypdfium2.PdfiumError:
        return 0.0, 0.0, 0.0, 0.0
    raw.FPDFText_GetCharOrigin(textpage, index, x, y)
    if turns == 1:
        return bottom, -x.value, top, right - left
    if turns == 2:
        return -right, -y.value, -left, top - bottom
    if turns == 3:
        return -top, x.value, -bottom, right - left
    return left, y.value, right, top - bottom


def _with_entries(
    textpage: pypdfium2.PdfTextPage, found: list[tuple[int, Line]], entries: Sequence[Entry]
) -> list[Line]:
    """The lines of a page with what was filled in between their words, or below them, where it stands."""
    insertions: dict[int, list[tuple[int, str]]] = {}
    alone: dict[int, list[Line]] = {}
    for entry in entries:
        beside = [index for index, (_, line) in enumerate(found) if entry.bottom - 2 <= line.first <= entry.top]
        if beside:
            nearest = min(beside, key=lambda index: _gap(entry, found[index][1]))
            start, line = found[nearest]
            rights = (_place(textpage, start + offset)[2] for offset in range(len(line.text)))
            behind = (offset for offset, right in enumerate(rights) if right > entry.left + 2)
            insertions.setdefault(nearest, []).append((next(behind, len(line.text)), entry.text))
        else:
            above = [index for index, (_, line) in enumerate(found) if line.first > entry.top]
            under = [
                index for index in above if found[index][1].left < entry.right and found[index][1].right > entry.left
            ]
            after = min(under or above, key=lambda index: found[index][1].first, default=-1)
            height = min(12.0, entry.top - entry.bottom)
            alone.setdefault(after, []).append(
                Line(entry.text, entry.left, entry.right, entry.top - height, entry.top - height, height)
            )
    lines = alone.get(-1, [])
    for index, (_, line) in enumerate(found):
        text = line.text
        for offset, value in sorted(insertions.get(index, []), key=lambda pair: -pair[0]):
            text = " ".join(part for part in (text[:offset].rstrip(), value, text[offset:].lstrip()) if part)
        changed = line if text == line.text else line._replace(text=text, cells=())
        lines += [changed, *alone.get(index, [])]
    return lines


def _gap(entry: Entry, line: Line) -> float:
    """How far apart an entry and a line at its height are: what is written before a field mostly says what it is."""
    if line.right <= entry.left:
        return entry.left - line.right
    return max(0.0, line.left - entry.right) * (1 if entry.text in ("[x]", "[ ]") else 2)
