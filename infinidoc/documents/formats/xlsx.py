"""Excel workbooks: the values of each sheet, row by row."""

import datetime
import io
from collections.abc import Iterator
from typing import Any

import openpyxl

from infinidoc.documents.document import Document
from infinidoc.documents.formats.archive import open_archive
from infinidoc.documents.formats.composer import Composer
from infinidoc.documents.formats.rows import describe


def read(data: bytes, format: str) -> Document:
    open_archive(data)
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    composer = Composer()
    for sheet in book.worksheets:
        composer.mark(f"sheet {sheet.title}", breaks=True)
        for index, (number, line) in enumerate(describe(_rows(sheet))):
            if index == 0:
                composer.add(f"Sheet {sheet.title}")
            composer.mark(f"sheet {sheet.title}, row {number}")
            composer.add(line, "\n")
    return composer.document(format, pages=len(book.worksheets))


def _rows(sheet: Any) -> Iterator[list[str]]:
    sheet.reset_dimensions()  # the size that a file states is often wrong
    for row in sheet.iter_rows(values_only=True):
        yield [_shown(value) for value in row]


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.15g}"  # as Excel does: 0.1 + 0.2 is 0.3
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ", "minutes") if value.time() != datetime.time() else value.date().isoformat()
    return str(value)
