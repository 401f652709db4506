"""CSV and TSV, whatever the delimiter."""

import csv
import io
import re

from infinidoc.documents.charset import clean, decode
from infinidoc.documents.document import Document
from infinidoc.documents.formats.composer import Composer
from infinidoc.documents.formats.rows import describe

_TOLD = re.compile(r"sep=([,;|\t])\n", re.I)


def read(data: bytes, format: str) -> Document:
    text = clean(decode(data))
    csv.field_size_limit(2**31 - 1)  # a C long, which has 32 bits on Windows
    told = _TOLD.match(text)  # Excel takes it for no row
    if told:
        text = text[told.end() :]
    delimiter = told[1] if told else "\t" if format == "tsv" else _delimiter(text)
    composer = Composer()
    for number, line in describe(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)):
        composer.mark(f"row {number + bool(told)}")
        composer.add(line, "\n")
    return composer.document(format)


def _delimiter(text: str) -> str:
    """The one that cuts the first lines into the same number of columns, most of them if several do.

    csv.Sniffer takes letters for delimiters, and falls for commas inside of quotes.
    """

    def regularity(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        usual = max(set(widths), key=lambda width: (widths.count(width), width), default=1)
        return (widths.count(usual) / len(widths), usual) if usual > 1 else (0, 0)

    lines = text[: 1 << 16].split("\n")[:50]
    return max(",;\t|", key=regularity)
