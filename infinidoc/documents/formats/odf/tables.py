"""The rows of an OpenDocument table, in a text, on a slide or as a sheet: repeated ones, merged ones, hidden ones."""

from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any, NamedTuple

from infinidoc.documents.document import MAX_CHARACTERS, TOO_LONG, Unreadable
from infinidoc.documents.formats.odf.package import children, qn

_COLUMNS, _ROWS = 16_384, 1_048_576  # of the largest sheet
_WIDEST = 100  # columns that a merged cell names
_GROUPS = ("table:table-header-rows", "table:table-rows", "table:table-row-group")
_COLUMN_GROUPS = ("table:table-header-columns", "table:table-columns", "table:table-column-group")
_HIDDEN = ("collapse", "filter")


class Grid(NamedTuple):
    """Rows with their numbers from 1, as `rows.describe` takes them: an empty one where there is a gap."""

    rows: Iterator[tuple[int, list[str | None]]]
    hidden: list[int]  # numbers of rows that are hidden and not empty; complete once `rows` are


def elements(table: Any) -> Iterator[Any]:
    """The table:table-row elements, whatever they are grouped in."""
    for child in children(table, "table:table-row", *_GROUPS):
        yield from [child] if child.tag == qn("table:table-row") else elements(child)


def heads(table: Any) -> int:
    """How many rows at the top are repeated on each page: they name the columns."""
    return sum(
        _times(row, "table:number-rows-repeated", _ROWS)
        for part in table.iterchildren(qn(_GROUPS[0]))
        for row in elements(part)
    )


def grid(table: Any, text: Callable[[Any], str]) -> Grid:
    """`text` gives what a cell shows. Raises Unreadable for more than MAX_CHARACTERS."""
    hidden_rows: list[int] = []
    return Grid(_rows(table, _hidden_columns(table), text, hidden_rows), hidden_rows)


def _rows(
    table: Any, hidden: set[int], text: Callable[[Any], str], hidden_rows: list[int]
) -> Iterator[tuple[int, list[str | None]]]:
    covered: dict[int, tuple[int, str | None]] = {}  # by column: how many rows below a merged cell covers, its text
    number, size = 1, 0
    for row in elements(table):
        times = _times(row, "table:number-rows-repeated", _ROWS)
        line = _line(row, text, covered)
        if not any(line):
            yield number, []
        elif row.get(qn("table:visibility")) in _HIDDEN:
            hidden_rows += range(number, min(number + times, _ROWS))
        else:
            shown = [cell for column, cell in enumerate(line) if column not in hidden]
            for n in range(number, min(number + times, _ROWS + 1)):
                size += len(shown) + sum(len(cell) for cell in shown if cell)
                if size > MAX_CHARACTERS:
                    raise Unreadable(TOO_LONG)
                yield n, shown
        number += times


def _line(row: Any, text: Callable[[Any], str], covered: dict[int, tuple[int, str | None]]) -> list[str | None]:
    line: list[str | None] = []
    for cell in children(row, "table:table-cell", "table:covered-table-cell"):
        times = _times(cell, "table:number-columns-repeated", _COLUMNS)
        if cell.tag == qn("table:covered-table-cell"):
            for column in range(len(line), min(len(line) + times, _COLUMNS)):
                rows, above = covered.pop(column, (0, None))
                if rows > 1:
                    covered[column] = rows - 1, above
                line.append(above)
            continue
        shown = text(cell)
        columns = _times(cell, "table:number-columns-spanned", _WIDEST)
        down = _times(cell, "table:number-rows-spanned", _ROWS) - 1
        if down:
            covered.update(zip(range(len(line), _COLUMNS), repeat((down, None), columns), strict=False))
            covered[len(line)] = down, shown
        line += chain(repeat(shown, min(times, _COLUMNS - len(line))))
    while line and not line[-1]:  # thousands of empty cells end a row
        if line[-1] is None and any(line):
            break
        line.pop()
    return line


def _hidden_columns(table: Any) -> set[int]:
    hidden: set[int] = set()
    column = 0

    def look(group: Any) -> None:
        nonlocal column
        for child in children(group, "table:table-column", *_COLUMN_GROUPS):
            if child.tag != qn("table:table-column"):
                look(child)
                continue
            times = _times(child, "table:number-columns-repeated", _COLUMNS)
            if child.get(qn("table:visibility")) in _HIDDEN:
                hidden.update(range(column, min(column + times, _COLUMNS)))
            column += times

    look(table)
    return hidden


def _times(element: Any, attribute: str, most: int) -> int:
    given = element.get(qn(attribute), "1")
    return min(max(int(given), 1), most) if given.isdigit() and len(given) < 10 else 1
