"""Excel workbooks of before 2007: the cells of each sheet as they are shown, row by row."""

import os
from collections import deque
from collections.abc import Iterator
from typing import Any

import xlrd

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats.composer import Composer
from infinidoc.documents.formats.ooxml.numberformat import number_as_shown, text_as_shown
from infinidoc.documents.formats.sheets import WIDEST, SheetRow, add_sheet, grid, hidden_rows, hidden_sheet


def read(data: bytes, format: str) -> Document:
    with open(os.devnull, "w") as nowhere:  # it would tell the terminal about oddities
        try:
            book = xlrd.open_workbook(file_contents=data, formatting_info=True, logfile=nowhere)
        except xlrd.XLRDError as error:
            if "encrypted" in str(error):
                raise Unreadable("encrypted") from error
            raise
    composer = Composer()
    pages = 0
    notes: list[str] = []
    for sheet in book.sheets():
        if sheet.visibility:
            notes.append(hidden_sheet(sheet.name))
            continue
        pages += 1
        hidden: list[int] = []
        columns = {column for column, info in sheet.colinfo_map.items() if info.hidden}
        add_sheet(composer, sheet.name, grid(_rows(book, sheet), _merges(sheet), columns, hidden), _comments(sheet))
        notes += hidden_rows(sheet.name, len(hidden))
    return composer.document(format, pages, notes)


def _rows(book: Any, sheet: Any) -> Iterator[SheetRow]:
    for number in range(sheet.nrows):
        info = sheet.rowinfo_map.get(number)
        cells = {column: text for column, cell in enumerate(sheet.row(number)) if (text := _shown(book, cell))}
        yield SheetRow(number + 1, info is not None and bool(info.hidden), cells)


def _shown(book: Any, cell: Any) -> str:
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, "#ERROR"))
    style = book.xf_list[cell.xf_index] if cell.xf_index is not None else None
    code = book.format_map[style.format_key].format_str if style and style.format_key in book.format_map else "General"
    if cell.ctype in (xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE):
        return number_as_shown(f"{cell.value:.15g}", code, bool(book.datemode))
    return text_as_shown(str(cell.value), code) if cell.value else ""


def _merges(sheet: Any) -> dict[int, list[tuple[int, int, int]]]:
    merges: dict[int, list[tuple[int, int, int]]] = {}
    for top, bottom, left, right in sheet.merged_cells:  # from 0, the ends not included
        merges.setdefault(top + 1, []).append((left, min(right - 1, left + WIDEST), bottom))
    return merges


def _comments(sheet: Any) -> deque[tuple[int, str]]:
    comments = []
    for (row, column), note in sorted(sheet.cell_note_map.items()):
        by = f" by {note.author}" if note.author else ""
        comments.append((row + 1, f"[Comment on {xlrd.colname(column)}{row + 1}{by}: {' '.join(note.text.split())}]"))
    return deque(comments)
