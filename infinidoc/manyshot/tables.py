"""Tables of examples, row by row: CSV, TSV, JSONL and, where pyarrow is installed, Parquet.

Nothing is read whole, so a million rows need no more room than one.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infinidoc.documents.charset import decode
from infinidoc.documents.document import Unreadable
from infinidoc.errors import InfinidocError

KINDS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
HEAD = 1 << 16  # bytes that a guess at the encoding is based on


@dataclass(frozen=True)
class Row:
    """One row's chosen columns as text, "" where there is nothing. `number` counts rows from 1, without the header;
    `done` is the share of the file up to here, 0 to 1, if there is a file. `problem` says why a row can't be read."""

    number: int
    values: tuple[str, ...]
    done: float | None
    problem: str = ""


def is_table(path: Path) -> bool:
    return path.suffix.lower() in KINDS


def read(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a table, as they come.

    Raises InfinidocError for a file that isn't there, isn't a table, or lacks a column: before the first row, for the
    kinds of file that say beforehand what columns they have.
    """
    if not path.is_file():
        raise InfinidocError(f"there is no file {path}", "give a CSV, TSV, JSONL or Parquet file")
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise InfinidocError(f"{path} is no table", f"known by their endings: {', '.join(KINDS)}")
    reader = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}[kind]
    return reader(path, columns)


def _csv(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    size = max(path.stat().st_size, 1)
    csv.field_size_limit(2**31 - 1)  # a C long, which has 32 bits on Windows
    encoding = _encoding(path)
    delimiter, names = _header(path, encoding, columns)
    places = [_place(path, names, column) for column in columns]
    with path.open("rb") as raw:
        rows = csv.reader(io.TextIOWrapper(raw, encoding, errors="replace", newline=""), delimiter=delimiter)
        next(rows, None)
        number = 0
        while True:
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                number += 1
                yield Row(number, ("",) * len(columns), raw.tell() / size, str(error))
                continue
            if not cells:
                continue  # a blank line is no row
            number += 1
            values = tuple(cells[place].strip() if place < len(cells) else "" for place in places)
            yield Row(number, values, raw.tell() / size)


def _encoding(path: Path) -> str:
    """UTF-8 unless the file's beginning says otherwise; a BOM is taken off."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        decode(head)
    except Unreadable as error:
        raise InfinidocError(f"{path} is no text ({error})", "give a CSV, TSV, JSONL or Parquet file") from error
    try:
        head[: head.rfind(b"\n") + 1].decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _header(path: Path, encoding: str, columns: Sequence[str]) -> tuple[str, list[str]]:
    """What separates the cells, and the columns' names. Spreadsheets of half the world write semicolons."""
    headers = []
    for delimiter in "\t" if path.suffix.lower() == ".tsv" else ",;\t":
        with path.open(encoding=encoding, errors="replace", newline="") as text:
            names = [name.strip() for name in next(csv.reader(text, delimiter=delimiter), [])]
        if set(columns) <= set(names):
            return delimiter, names
        headers.append((delimiter, names))
    return max(headers, key=lambda header: len(header[1]))


def _place(path: Path, names: Sequence[str], column: str) -> int:
    if column not in names:
        raise InfinidocError(f"{path} has no column {column}", f"its columns are: {', '.join(names) or 'none'}")
    return names.index(column)


def _jsonl(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    size = max(path.stat().st_size, 1)
    nothing = ("",) * len(columns)
    found: set[str] = set()
    with path.open("rb") as file:
        read, number = 0, 0
        for line in file:
            read += len(line)
            if not line.strip():
                continue
            number += 1
            try:
                value = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
            except (ValueError, RecursionError) as error:
                yield Row(number, nothing, read / size, f"no JSON ({error})")
                continue
            if not isinstance(value, dict):
                yield Row(number, nothing, read / size, "no JSON object")
                continue
            found |= value.keys() & set(columns)
            yield Row(number, tuple(_text(value.get(column)) for column in columns), read / size)
            names = list(value)
    if number and (missing := [column for column in columns if column not in found]):
        raise InfinidocError(f"{path} has no column {missing[0]}", f"its columns are: {', '.join(names)}")


def _parquet(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise InfinidocError("Parquet files need pyarrow", "pip install pyarrow, or save the table as CSV") from error
    try:
        with ParquetFile(path) as table:
            for column in columns:
                _place(path, table.schema_arrow.names, column)
            number, total = 0, max(table.metadata.num_rows, 1)
            for batch in table.iter_batches(columns=list(dict.fromkeys(columns))):
                lists = [batch.column(column).to_pylist() for column in columns]
                for values in zip(*lists, strict=True):
                    number += 1
                    yield Row(number, tuple(map(_text, values)), number / total)
    except ArrowException as error:
        raise InfinidocError(f"{path} can't be read ({str(error).splitlines()[0]})", "is it a Parquet file?") from error


def _text(value: Any) -> str:
    """A cell as text; numbers and truth values as JSON writes them."""
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
