"""The cells of a worksheet, read as a stream: a sheet may be hundreds of megabytes of XML."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from infinidoc.documents.formats.ooxml.numberformat import number_as_shown, text_as_shown
from infinidoc.documents.formats.ooxml.package import Package
from infinidoc.documents.formats.sheets import WIDEST, SheetRow, grid

_COLUMNS, _ROWS = 16_384, 1_048_576  # of the largest sheet
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]{0,99}?ref=[\"'](\w+):(\w+)[\"']")
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})", re.I)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class Values(NamedTuple):
    """What the cells of all sheets refer to: texts, number formats, and whether days are counted from 1904."""

    strings: list[str]
    formats: list[str]
    since_1904: bool


def sheet_rows(
    package: Package, part: str, values: Values, hidden_rows: list[int]
) -> Iterator[tuple[int, list[str | None]]]:
    """The rows of a sheet that a person sees, as `sheets.grid` gives them."""
    hidden: set[int] = set()  # columns
    return grid(_rows(package, part, values, hidden), _merges(package, part), hidden, hidden_rows)


def _rows(package: Package, part: str, values: Values, hidden: set[int]) -> Iterator[SheetRow]:
    """All rows that the sheet holds. Adds the hidden columns, which come before them, to `hidden`."""
    row = SheetRow(0, False, {})
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
                row = SheetRow(max(number, row.number + 1), _is_true(attributes.get("hidden")), {})
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
                    right = min(_column(last[1]), left + WIDEST)
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
