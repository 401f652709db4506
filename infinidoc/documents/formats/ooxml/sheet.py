"""The cells of a worksheet, read as a stream: a sheet may be hundreds of megabytes of XML."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from infinidoc.documents.document import MAX_CHARACTERS, TOO_LONG, Unreadable
from infinidoc.documents.formats.ooxml.numberformat import number_as_shown, text_as_shown
from infinidoc.documents.formats.ooxml.package import Package

_COLUMNS, _ROWS = 16_384, 1_048_576  # of the largest sheet
_WIDEST = 100  # columns that a merged cell names
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]{0,99}?ref=[\"'](\w+):(\w+)[\"']")
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})", re.I)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class Values(NamedTuple):
    """What the cells of all sheets refer to: texts, number formats, and whether days are counted from 1904."""

    strings: list[str]
    formats: list[str]
    since_1904: bool


class _Row(NamedTuple):
    number: int
    is_hidden: bool
    cells: dict[int, str]  # by column, from 0


class _Merge(NamedTuple):
    right: int
    bottom: int
    text: str


def grid(package: Package, part: str, values: Values, hidden_rows: list[int]) -> Iterator[tuple[int, list[str | None]]]:
    """Each row that a person sees, with its number, as `rows.describe` takes it; an empty one where there is a gap.

    Adds the numbers of rows that are hidden, and not empty, to `hidden_rows`. Raises Unreadable for more than
    MAX_CHARACTERS.
    """
    merges = _merges(package, part)
    reaching: dict[int, _Merge] = {}  # merged cells that go on in rows below, by their first column
    hidden: set[int] = set()  # columns
    before, size = 0, 0
    for number, is_hidden, cells in _rows(package, part, values, hidden):
        if number > before + 1:
            yield number - 1, []
        before = number
        reaching = {left: merge for left, merge in reaching.items() if merge.bottom >= number}
        is_empty = not any(cells.values())
        if is_empty and number not in merges:
            if not is_hidden:
                yield number, []
            continue
        cells = cells | {left: merge.text for left, merge in reaching.items()}
        spans = [(left, merge.right) for left, merge in reaching.items()]
        for left, right, bottom in merges.pop(number, ()):
            spans.append((left, right))
            if bottom > number and cells.get(left):
                reaching[left] = _Merge(right, bottom, cells[left])
        covered = {column for left, right in spans for column in range(left + 1, right + 1)}
        if is_hidden:
            hidden_rows += [] if is_empty else [number]
            continue
        width = 0 if is_empty else 1 + max([*cells, *covered])
        size += width + sum(map(len, cells.values()))
        if size > MAX_CHARACTERS:
            raise Unreadable(TOO_LONG)
        yield (
            number,
            [None if column in covered else cells.get(column, "") for column in range(width) if column not in hidden],
        )


def _rows(package: Package, part: str, values: Values, hidden: set[int]) -> Iterator[_Row]:
    """All rows that the sheet holds. Adds the hidden columns, which come before them, to `hidden`."""
    row = _Row(0, False, {})
    column, cell = -1, {}
    value: list[str] = []
    formula: list[str] = []
    text: list[str] = []
    into: list[str] | None = None
    has_formula = is_phonetic = False
    for kind, name, attributes in package.events(part):
        if kind == "text":
            if into is not None:
                into.append(name)
        elif kind == "start":
            if name == "c":
                place = _REFERENCE.fullmatch(attributes.get("r", ""))
                column = _column(place[1]) if place else column + 1
                cell, value, formula, text, has_formula = attributes, [], [], [], False
            elif name == "v":
                into = value
            elif name == "f":
                into, has_formula = formula, True
            elif name == "t" and not is_phonetic:
                into = text
            elif name == "rPh":
                is_phonetic = True
            elif name == "row":
                given = attributes.get("r", "")
                number = int(given) if re.fullmatch("[0-9]{1,7}", given) else 0
                row = _Row(max(number, row.number + 1), _is_true(attributes.get("hidden")), {})
                column = -1
            elif name == "col" and _is_true(attributes.get("hidden")):
                first, last = int(attributes.get("min", "1")), int(attributes.get("max", "0"))
                hidden.update(range(max(first, 1) - 1, min(last, _COLUMNS)))
        elif name in ("v", "f", "t"):
            into = None
        elif name == "rPh":
            is_phonetic = False
        elif name == "c" and column < _COLUMNS:
            formula_text = "".join(formula) if has_formula else None
            if shown := _shown(cell, "".join(value), formula_text, "".join(text), values):
                row.cells[column] = shown
        elif name == "row" and row.number <= _ROWS:
            yield row


def _shown(cell: dict[str, str], value: str, formula: str | None, text: str, values: Values) -> str:
    kind = cell.get("t", "n")
    if formula is not None and not value and kind != "str":
        return f"={formula or '…'} (no result stored)"
    style = cell.get("s", "0")
    code = values.formats[int(style)] if style.isdigit() and int(style) < len(values.formats) else "General"
    if kind == "s":
        return text_as_shown(values.strings[int(value)], code) if value else ""
    if kind == "inlineStr":
        return text_as_shown(unescaped(text), code)
    if kind == "str":
        return text_as_shown(unescaped(value), code)
    if kind == "b":
        return "TRUE" if value == "1" else "FALSE"
    return value if kind in ("e", "d") or not value else number_as_shown(value, code, values.since_1904)


def unescaped(text: str) -> str:
    """Characters that XML can't hold are written as their numbers: _x000D_."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


def _merges(package: Package, part: str) -> dict[int, list[tuple[int, int, int]]]:
    """Merged cells by their first row, as (first column, last column, last row). The file has them behind all rows."""
    merges: dict[int, list[tuple[int, int, int]]] = {}
    kept = b""
    with package.open(part) as stream:
        while chunk := stream.read(1 << 16):
            kept += chunk
            end = 0
            for match in _MERGED.finditer(kept):
                end = match.end()
                first, last = (_REFERENCE.fullmatch(name.decode("ascii", "replace")) for name in match.groups())
                if first and last:
                    left = _column(first[1])
                    right = min(_column(last[1]), left + _WIDEST)
                    merges.setdefault(int(first[2]), []).append((left, right, int(last[2])))
            kept = kept[max(end, len(kept) - 200) :]
    return merges


def _column(letters: str) -> int:
    """A is 0, Z is 25, AA is 26."""
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1


def _is_true(attribute: str | None) -> bool:
    return attribute in ("1", "true")
