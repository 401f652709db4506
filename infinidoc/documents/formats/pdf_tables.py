"""Tables on a PDF page, by where their cells stand: a page says nothing of rows and columns."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from infinidoc.documents.formats.layout import Box, in_blocks
from infinidoc.documents.formats.pdf_paragraphs import Cell, Line, paragraphs
from infinidoc.documents.formats.rows import describe

_ROWS = 3  # fewer are no table
_SAME_ROW = 0.4  # of a line's height: baselines that are nearer are one row's
_WRAPPED = 1.7  # of a line's height: from a line of a cell to its next
_DRAWN_BY_ROW = 0.7  # of the rows: cells of a row follow each other, where columns of prose do not
_NUMBER = re.compile(r"[-+(]?[$€£¥]?\s?\d[\d.,'\s]*[%$€£¥)]*")
_TOP = 4  # lines of a page above a table that goes on there


class _Place(NamedTuple):
    """A cell, the index of the line that holds it, and its baseline."""

    cell: Cell
    line: int
    baseline: float


class Table(NamedTuple):
    """The rows of a table as texts by column, the lines that hold them, and where its columns begin and end."""

    rows: list[list[str | None]]
    lines: set[int]
    columns: list[tuple[float, float]]


class Pages:
    """Writes pages in their order: a table may go on from one to the next, and its columns are those named before."""

    def __init__(self) -> None:
        self._open: Table | None = None  # with which the page before ended

    def text(self, lines: list[Line]) -> str:
        tables = list(_tables(lines))
        inside = {line: table for table in tables for line in table.lines}
        parts: list[str] = []
        begin = 0  # of the lines that are not written yet
        for index in sorted(inside):
            parts.append(paragraphs(lines, begin, index))
            begin = index + 1
            if index == min(inside[index].lines):
                parts.append(self._described(inside[index], is_first=index < _TOP))
        parts.append(paragraphs(lines, begin))
        ends = bool(lines) and len(lines) - 1 - max(inside, default=-_TOP) < _TOP
        self._open = tables[-1] if tables and ends else None
        return "\n\n".join(filter(None, parts))

    def _described(self, table: Table, is_first: bool) -> str:
        before = self._open if is_first else None
        self._open = None
        rows, heads = table.rows, None
        if before and _alike(before.columns, table.columns) and before.rows[0] != rows[0]:
            names = dict(describe(before.rows[:_ROWS], named=False))
            if 1 not in names:  # its first row named the columns
                rows, heads = [before.rows[0], *rows], 1
                table.rows.insert(0, before.rows[0])
        return "\n".join(line for _, line in describe(rows, heads, named=False, gap=" | "))


def _tables(lines: list[Line]) -> Iterator[Table]:
    places = [
        _Place(cell, index, line.first)
        for index, line in enumerate(lines)
        if not line.turns and line.first == line.last
        for cell in line.cells or [Cell(line.text, line.left, line.right)]
    ]
    if sum(len(line.cells) > 1 for line in lines) < 2 or not places:
        return
    height = sorted(line.height for line in lines)[len(lines) // 2]
    boxes = {
        n: Box(cell.left, -baseline - 0.3 * height, cell.right, -baseline + 0.1 * height)
        for n, (cell, _, baseline) in enumerate(places)
    }
    for columns in in_blocks(boxes, height):
        if len(columns) > 1 and (table := _table([[places[n] for n in column] for column in columns], height)):
            yield table


def _table(columns: list[list[_Place]], height: float) -> Table | None:
    rows = _rows(columns, height)
    while rows and sum(map(bool, rows[0])) < 2:  # a line above it, or below
        rows.pop(0)
    while rows and sum(map(bool, rows[-1])) < 2:
        rows.pop()
    full = [[places[0] for places in row if places] for row in rows if sum(map(bool, row)) > 1]
    by_row = sum(row[-1].line - row[0].line < len(row) for row in full)
    if len(full) < _ROWS or by_row < _DRAWN_BY_ROW * len(full):
        return None
    texts: list[list[str | None]] = [[" ".join(place.cell.text for place in cell) for cell in row] for row in rows]
    if len(columns) < 3 and not any(_is_numeric([row[column] for row in texts]) for column in range(len(columns))):
        return None
    kept = {place.line for row in rows for cell in row for place in cell}
    spans = [(min(p.cell.left for p in column), max(p.cell.right for p in column)) for column in columns]
    return Table(texts, kept, spans)


def _rows(columns: list[list[_Place]], height: float) -> list[list[list[_Place]]]:
    """From above to below; a cell that takes several lines keeps them together."""
    rows: list[list[list[_Place]]] = []
    ordered = sorted((-place.baseline, column, place) for column, places in enumerate(columns) for place in places)
    for _, column, place in ordered:
        if not rows or max(p.baseline for cell in rows[-1] for p in cell) - place.baseline > _SAME_ROW * height:
            rows.append([[] for _ in columns])
        rows[-1][column].append(place)
    joined: list[list[list[_Place]]] = []
    for row in rows:
        if joined and _goes_on(joined[-1], row, height):
            for above, cell in zip(joined[-1], row, strict=True):
                above += cell
        else:
            joined.append(row)
    return joined


def _goes_on(above: list[list[_Place]], row: list[list[_Place]], height: float) -> bool:
    """Whether these are the next lines of cells above: each was drawn right after the one that it goes on from, and
    not together as a row is."""
    pairs = [(upper[-1] if upper else None, cell[0]) for upper, cell in zip(above, row, strict=True) if cell]
    if len(pairs) == len(row) or len({lower.line for _, lower in pairs}) < len(pairs):
        return False
    return all(
        upper and lower.line == upper.line + 1 and upper.baseline - lower.baseline < _WRAPPED * height
        for upper, lower in pairs
    )


def _is_numeric(column: list[str | None]) -> bool:
    filled = [text for text in column if text]
    return sum(bool(_NUMBER.fullmatch(text)) for text in filled) > 0.5 * len(filled)


def _alike(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> bool:
    """Whether the columns of two tables stand below each other."""
    return len(one) == len(other) and all(a[0] < b[1] and b[0] < a[1] for a, b in zip(one, other, strict=True))
