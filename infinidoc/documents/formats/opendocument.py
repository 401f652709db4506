"""OpenDocument: texts, spreadsheets, presentations and drawings, as LibreOffice shows them.

Page headers come first and footers last, each once; a note or a comment follows the paragraph or row it belongs to.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import Any

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats.composer import Composer
from infinidoc.documents.formats.layout import Box, in_reading_order
from infinidoc.documents.formats.odf.package import Package, children, qn
from infinidoc.documents.formats.odf.tables import grid
from infinidoc.documents.formats.odf.writing import Writing
from infinidoc.documents.formats.rows import Row
from infinidoc.documents.formats.sheets import add_sheet, hidden_rows, hidden_sheet

_LENGTH = re.compile(r"(-?\d+(?:\.\d+)?)(cm|mm|in|pt|pc|px)")
_POINTS = {"cm": 72 / 2.54, "mm": 7.2 / 2.54, "in": 72.0, "pt": 1.0, "pc": 12.0, "px": 0.75}
_MOVED = re.compile(r"translate\s*\(\s*(\S+?)[\s,]+(\S+?)\s*\)")


def read(data: bytes, format: str) -> Document:
    package = Package(data)
    kind = package.body.tag.rpartition("}")[2]
    if kind == "text":
        return _text(package, format)
    if kind == "spreadsheet":
        return _workbook(package, format)
    if kind in ("presentation", "drawing"):
        return _slides(package, format, "slide" if kind == "presentation" else "page")
    raise Unreadable(f"an OpenDocument {kind}, not a text, spreadsheet or presentation")


# Texts


def _text(package: Package, format: str) -> Document:
    composer = Composer()
    writing = Writing(package)
    shown: set[str] = set()
    for text in _margins(package, writing, "header", shown):
        composer.add(text)
    composer.add_blocks(writing.blocks(package.body))
    for n, text in enumerate(_margins(package, writing, "footer", shown)):
        if not n:
            composer.mark("footer")
        composer.add(text)
    return composer.document(format)


def _margins(package: Package, writing: Writing, kind: str, shown: set[str]) -> Iterator[str]:
    """Page headers or footers, without those that were shown, or hold nothing but a page number."""
    for page in package.styles.iter(qn("style:master-page")):
        for margin in children(page, *(f"style:{kind}{which}" for which in ("-first", "", "-left"))):
            text = writing.flat(margin)
            if margin.get(qn("style:display")) != "false" and re.search(r"[^\W\d_]", text) and text not in shown:
                shown.add(text)
                yield text


# Spreadsheets


def _workbook(package: Package, format: str) -> Document:
    composer = Composer()
    writing = Writing(package, with_chart_values=False)  # they are cells
    pages = 0
    notes: list[str] = []
    for table in children(package.body, "table:table"):
        name = table.get(qn("table:name"), "")
        if package.property("table", table.get(qn("table:style-name")), "table:display") == "false":
            notes.append(hidden_sheet(name))
            continue
        pages += 1
        comments: deque[tuple[int, str]] = deque()
        rows, hidden = grid(table, lambda cell: _cell(cell, writing))
        drawn = (text for shape in table.iterfind(f"{qn('table:shapes')}/*") for text in writing.drawn(shape))
        add_sheet(composer, name, _commented(rows, writing, comments), comments, drawn)
        notes += hidden_rows(name, len(hidden))
    return composer.document(format, pages, notes)


def _commented(
    rows: Iterator[tuple[int, list[str | None]]], writing: Writing, comments: deque[tuple[int, str]]
) -> Iterator[tuple[int, Row]]:
    for number, row in rows:
        comments += [(number, text) for text in writing.asides()]
        yield number, row


def _cell(cell: Any, writing: Writing) -> str:
    """What a cell shows: programs keep it as text beside the value; where one didn't, the value."""
    if text := writing.flat(cell):
        return text
    formula, kind = cell.get(qn("table:formula"), ""), cell.get(qn("office:value-type"), "")
    name = {"date": "date-value", "time": "time-value", "boolean": "boolean-value", "string": "string-value"}
    value = cell.get(qn(f"office:{name.get(kind, 'value')}"), "")
    if kind == "percentage" and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return f"{100 * float(value):.10g}%"
    if kind == "currency" and value:
        return f"{value} {cell.get(qn('office:currency'), '')}".strip()
    if formula and not value and kind != "string":
        return f"={formula.partition('=')[2]} (no result stored)"
    return str(value).upper() if kind == "boolean" else str(value)


# Slides


def _slides(package: Package, format: str, what: str) -> Document:
    composer = Composer()
    writing = Writing(package)
    pages = list(children(package.body, "draw:page"))
    masters = {page.get(qn("style:name"), ""): page for page in package.styles.iter(qn("style:master-page"))}
    declared = {
        f"{kind} {one.get(qn('presentation:name'))}": "".join(one.itertext())
        for kind in ("header", "footer")
        for one in children(package.body, f"presentation:{kind}-decl")
    }
    shown: set[str] = set()
    notes = []
    for number, page in enumerate(pages, 1):
        style = page.get(qn("draw:style-name"))
        if package.property("drawing-page", style, "presentation:visibility") == "hidden":
            notes.append(f"{what} {number} is hidden, and left out")
            continue
        composer.mark(f"{what} {number}", breaks=True)
        texts = list(_texts(page, writing))
        for kind in ("header", "footer"):
            texts.append(_once(declared.get(f"{kind} {page.get(qn(f'presentation:use-{kind}-name'))}", ""), shown))
        master = masters.get(page.get(qn("draw:master-page-name"), ""))
        own = [] if master is None else [shape for shape in master if not shape.get(qn("presentation:class"))]
        texts += [_once(text, shown) for text in _texts(own, writing)]
        for comment in children(page, "office:annotation"):
            writing.set_aside(comment)
        texts += writing.asides()
        notes_page = page.find(qn("presentation:notes"))
        spoken = "\n".join(_texts([] if notes_page is None else notes_page, writing)).strip()
        for text in [*texts, f"Notes: {spoken}" if spoken else ""]:
            composer.add(text)
    return composer.document(format, len(pages), notes)


def _once(text: str, shown: set[str]) -> str:
    is_new = text not in shown
    shown.add(text)
    return text if is_new else ""


def _texts(shapes: Any, writing: Writing) -> Iterator[str]:
    """The title, then from above to below and from left to right."""
    seen = [
        shape
        for shape in shapes
        if str(shape.tag).startswith(qn("draw:")) and shape.get(qn("presentation:class"), "") not in _FIELDS
    ]
    titles = [shape for shape in seen if shape.get(qn("presentation:class")) == "title"]
    others = [shape for shape in seen if shape.get(qn("presentation:class")) != "title"]
    boxes = {n: _box(shape) for n, shape in enumerate(others)}
    for shape in [*titles, *(others[n] for n in in_reading_order(boxes))]:
        yield "\n".join(writing.drawn(shape))


_FIELDS = ("page-number", "date-time", "header", "footer")


def _box(shape: Any) -> Box:
    moved = _MOVED.search(shape.get(qn("draw:transform"), ""))
    left, top = moved.groups() if moved else (shape.get(qn("svg:x"), ""), shape.get(qn("svg:y"), ""))
    if shape.tag == qn("draw:g"):
        boxes = [_box(child) for child in shape if str(child.tag).startswith(qn("draw:"))]
        if boxes:
            sides = list(zip(*boxes, strict=True))
            return Box(min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3]))
    size = (_points(shape.get(qn(f"svg:{side}"), "")) for side in ("width", "height"))
    return Box.of(_points(left), _points(top), *size)


def _points(length: str) -> float:
    match = _LENGTH.fullmatch(length)
    return float(match[1]) * _POINTS[match[2]] if match else 0.0
