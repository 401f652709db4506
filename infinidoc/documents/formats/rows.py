"""Tables as sentences: each row says what its values are, so that a row recalled alone is understood."""

import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from infinidoc.documents.document import MAX_CHARACTERS, TOO_LONG, Unreadable

_LOOK_AHEAD = 20  # rows among which the one that names the columns is sought
_LONGEST_NAME = 80  # characters; what is longer is a sentence
_NUMBER = re.compile(
    r"[-+(]?[$€£¥]?\s?[-+]?\d[\d.,'\s]*[%$€£¥]?\)?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|=.*|#[A-Z/0]+[!?A]", re.S
)
_YEAR = re.compile(r"(19|20)\d\d")  # a number that does name columns

Row = Sequence[str | None]  # None: the cell to its left reaches over this column, too


class _Cell(NamedTuple):
    text: str
    column: int
    span: int


class _Line(NamedTuple):
    number: int
    cells: list[_Cell]  # those with text


class _Header(NamedTuple):
    """The rows that name the columns, from the first to the last, and the names by column."""

    first: int
    last: int
    names: dict[int, str]


def describe(
    rows: Iterable[Row], heads: int | None = None, named: bool = True, gap: str = "; "
) -> Iterator[tuple[int, str]]:
    """Each row that isn't empty as (its number from 1, `name: value; name: value`).

    `heads` says how many rows at the top name the columns. If it is None they are found by what they look like, below a
    title, and anew after an empty row; `named` tells whether tables of this kind mostly have such a row. A row of names
    isn't given by itself, unless a column that it names has no values. Rows without names are their values, with `gap`
    between them. Raises Unreadable if this makes more than MAX_CHARACTERS characters.
    """
    lines = (_Line(number, _cells(row)) for number, row in enumerate(rows, 1))
    ahead = deque(itertools.islice(lines, _LOOK_AHEAD))
    header = _combined(list(ahead)[:heads]) if heads else None
    seeking = heads is None
    length = 0
    while ahead:
        line = ahead[0]
        if not line.cells:
            seeking = heads is None
        else:
            if seeking:
                header = _header(list(ahead), header, named) or header
                seeking = False
            names = header.names if header and line.number > header.last else {}
            if not header or not header.first <= line.number <= header.last or _is_needed(line, header, ahead):
                length += sum(len(cell.text) + len(names.get(cell.column, "")) for cell in line.cells)
                if length > MAX_CHARACTERS:
                    raise Unreadable(TOO_LONG)
                yield line.number, _described(line.cells, names, gap)
        ahead.popleft()
        ahead.extend(itertools.islice(lines, 1))


def _cells(row: Row) -> list[_Cell]:
    if sum(len(cell) for cell in row if cell) > MAX_CHARACTERS:
        raise Unreadable(TOO_LONG)
    cells = []
    end = len(row)
    for column in reversed(range(len(row))):
        text = row[column]
        if text is None and column:
            continue
        if text and (text := " ".join(text.split())):
            cells.append(_Cell(text, column, end - column))
        end = column
    return cells[::-1]


def _described(cells: list[_Cell], names: dict[int, str], gap: str) -> str:
    if len(cells) == 1 and cells[0].span > 1:
        return cells[0].text  # a title inside of the table
    parts = []
    for text, column, span in cells:
        over = dict.fromkeys(names[n] for n in range(column, column + span) if n in names)
        parts.append(f"{', '.join(over)}: {text}" if over else text)
    # "Name:" before "Ann" is how forms write it
    return "".join(part + (" " if part.endswith(":") else "; " if names else gap) for part in parts[:-1]) + parts[-1]


def _is_needed(line: _Line, header: _Header, ahead: Iterable[_Line]) -> bool:
    """Whether a row of names holds one that no row below would repeat."""
    if len(line.cells) == 1 and header.first < header.last:
        return True  # a title among the names
    below = [other for other in ahead if other.number > header.last]
    filled = {n for other in below for cell in other.cells for n in range(cell.column, cell.column + cell.span)}
    return line.number == header.last and not filled.issuperset(header.names)


def _header(ahead: list[_Line], before: _Header | None, named: bool) -> _Header | None:
    """The header of the table that begins here, or None if it has none, or goes on with the one before."""
    table: list[_Line] = []
    for line in ahead:
        if line.cells:
            table.append(line)
        elif sum(len(other.cells) > 1 for other in table) > 1:
            break
    widest = max(len(line.cells) for line in table)
    at = next((n for n, line in enumerate(table) if len(line.cells) >= max(2, 0.6 * widest)), len(table))
    below = table[at + 1 :]
    if not below or not _can_name(table[at].cells, below):
        return None
    heads = 1
    while any(cell.span > 1 for cell in table[at + heads - 1].cells) and len(below) > heads:
        if not _are_names(below[heads - 1].cells):
            break
        heads += 1
    evident = heads > 1 or _has_numbers_below(table[at].cells, below)
    if before:
        columns = {cell.column for cell in table[at].cells}
        return _combined(table[at : at + heads]) if evident or not columns <= set(before.names) else None
    if not named and heads == 1 and _may_be_form(table[at].cells, below):
        return None
    return _combined(table[at : at + heads]) if named or evident or len(table[at].cells) == widest > 2 else None


def _can_name(cells: list[_Cell], below: list[_Line]) -> bool:
    if not _are_names(cells) or any(cell.text.endswith(":") for cell in cells):
        return False
    if any(len(line.cells) > 2 for line in below) or len(cells) > 2:
        return True
    if all(_NUMBER.fullmatch(line.cells[0].text) for line in below):
        return True  # a number is no label
    # Two columns may be a form: labels, and beside them numbers and words by turns.
    values = [bool(_NUMBER.fullmatch(line.cells[-1].text)) for line in below if len(line.cells) == 2]
    labels = sum(line.cells[0].text.endswith(":") for line in below)
    return labels < 0.5 * len(below) and not 0.3 < sum(values) / max(1, len(values)) < 0.7


def _may_be_form(cells: list[_Cell], below: list[_Line]) -> bool:
    """Whether these can be pairs of labels and values: every second column has words, the others have mixed values, or
    so few that nobody can tell."""
    columns: dict[int, list[bool]] = {n: [] for n in range(len(cells))}
    for line in below:
        for cell in line.cells:
            columns.setdefault(cell.column, []).append(bool(_NUMBER.fullmatch(cell.text)))
    labels = [is_number for n in columns if n % 2 == 0 for is_number in columns[n]]
    values = [is_number for n in columns if n % 2 for is_number in columns[n]]
    return len(columns) % 2 == 0 and not any(labels) and (len(below) == 1 or not all(values))


def _are_names(cells: list[_Cell]) -> bool:
    """Whether these are words, short, and each once among its neighbours: tables may stand side by side."""
    if any(_NUMBER.fullmatch(cell.text) and not _YEAR.fullmatch(cell.text) for cell in cells):
        return False
    group: set[str] = set()
    end = -1
    for text, column, span in cells:
        if column > end >= 0:
            group.clear()
        if text in group or len(text) > _LONGEST_NAME:
            return False
        group.add(text)
        end = column + span
    return True


def _has_numbers_below(cells: list[_Cell], below: list[_Line]) -> bool:
    """Whether numbers stand below a word."""
    columns = {cell.column for cell in cells if not _YEAR.fullmatch(cell.text)}
    values: dict[int, list[bool]] = {}
    for line in below:
        for cell in line.cells:
            if cell.column in columns:
                values.setdefault(cell.column, []).append(bool(_NUMBER.fullmatch(cell.text)))
    return any(sum(column) > 0.6 * len(column) for column in values.values())


def _combined(lines: list[_Line]) -> _Header:
    """Names that stand in several rows, below names of groups, become one: "2025 Rent"."""
    names: dict[int, list[str]] = {}
    for line in lines:
        if len(line.cells) > 1 or len(lines) == 1:
            for text, column, span in line.cells:
                for n in range(column, column + span):
                    if text not in names.setdefault(n, []):
                        names[n].append(text)
    return _Header(lines[0].number, lines[-1].number, {n: " ".join(parts) for n, parts in names.items()})
