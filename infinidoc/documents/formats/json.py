"""JSON: records, one to a line or in a list, become lines that name their values; other JSON stays as it is."""

import json
from collections.abc import Iterator
from typing import Any

from infinidoc.documents.charset import clean, decode
from infinidoc.documents.document import Document
from infinidoc.documents.formats.composer import Composer

_LONG = 1000  # characters; lines longer than this on average were written by a program for a program


def read(data: bytes, format: str) -> Document:
    text = clean(decode(data))
    composer = Composer()
    if format != "json":
        for number, line in enumerate(text.split("\n"), 1):
            composer.mark(f"line {number}")
            composer.add(_described(line), "\n")
        return composer.document(format)
    try:
        content = json.loads(text)
        if isinstance(content, list) and content and all(isinstance(item, dict) for item in content):
            for number, record in enumerate(content, 1):
                composer.mark(f"record {number}")
                composer.add("; ".join(_pairs(record)), "\n")
            return composer.document(format)
        if isinstance(content, dict) and len(text) > _LONG * (text.count("\n") + 1):
            for key, value in content.items():
                composer.mark(f"key {key}")
                composer.add("\n".join(_pairs(value, key)), "\n")
            return composer.document(format)
    except (ValueError, RecursionError):
        pass  # with comments, cut off, nested thousands deep: it can still be read, and is located by line
    return Document(text, format)


def _described(line: str) -> str:
    try:
        return "; ".join(_pairs(json.loads(line)))
    except (ValueError, RecursionError):
        return line


def _pairs(value: Any, path: str = "") -> Iterator[str]:
    """`path.to.it: value` for everything in a record; lists of plain values are one value."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _pairs(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for number, item in enumerate(value, 1):
            yield from _pairs(item, f"{path}.{number}" if path else str(number))
    else:
        shown = ", ".join(map(_shown, value)) if isinstance(value, list) else _shown(value)
        if shown:
            yield f"{path}: {shown}" if path else shown


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
