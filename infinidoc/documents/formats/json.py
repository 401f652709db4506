"""JSON: records, one to a line or in a list, become lines that name their values; other JSON stays as it is."""

import json
import re
from collections.abc import Iterator
from typing import Any

from infinidoc.documents.charset import clean, decode
from infinidoc.documents.document import MAX_CHARACTERS, TOO_LONG, Document, Unreadable
from infinidoc.documents.formats.composer import Composer

_LONG = 1000  # characters; lines longer than this on average were written by a program for a program
_ESCAPES = re.compile(r"\\\\|(?:\\u[0-9a-fA-F]{4})+")


def read(data: bytes, format: str) -> Document:
    text = clean(decode(data))
    try:
        document = _lines(text, format) if format != "json" else _laid_out(text, format)
    except RecursionError:
        document = None
    return document or Document(clean(_ESCAPES.sub(_unescaped, text)), format)


def _lines(text: str, format: str) -> Document:
    """JSON Lines: a record to a line. What is no JSON stays as it is."""
    composer = Composer()
    for number, line in enumerate(text.split("\n"), 1):
        composer.mark(f"line {number}")
        composer.add(_described(line), "\n")
    return composer.document(format)


def _laid_out(text: str, format: str) -> Document | None:
    """What a program wrote for a program. None for what was written for people, with comments, or cut off: it can be
    read, and is located by line."""
    try:
        content = json.loads(text)
    except ValueError:
        return _lines(text, format) if _is_lines(text) else None
    composer = Composer()
    if isinstance(content, list) and content and all(isinstance(item, dict) for item in content):
        for number, record in enumerate(content, 1):
            composer.mark(f"record {number}")
            composer.add(_joined(_pairs(record), "; "), "\n")
    elif isinstance(content, dict) and len(text) > _LONG * (text.count("\n") + 1):
        for key, value in content.items():
            composer.mark(f"key {key}")
            composer.add(_joined(_pairs(value, key), "\n"), "\n")
    else:
        return None
    return composer.document(format)


def _is_lines(text: str) -> bool:
    lines = [line for line in text.split("\n") if line.strip()]
    try:
        return len(lines) > 1 and all(
            isinstance(json.loads(line), dict | list) for line in (lines[0], lines[1], lines[-1])
        )
    except ValueError:
        return False


def _unescaped(match: re.Match[str]) -> str:
    """Letters for \\u00e9 and the like, but for those that JSON has to escape."""
    if match[0].startswith("\\u"):
        letters: str = json.loads(f'"{match[0]}"')
        if letters.isprintable() and not set(letters) & set('"\\'):
            return letters
    return match[0]


def _joined(pairs: Iterator[str], gap: str) -> str:
    """All of them, unless names that are repeated make far more text of it than the file has."""
    parts, length = [], 0
    for pair in pairs:
        parts.append(pair)
        length += len(pair)
        if length > MAX_CHARACTERS:
            raise Unreadable(TOO_LONG)
    return gap.join(parts)


def _described(line: str) -> str:
    try:
        return _joined(_pairs(json.loads(line)), "; ")
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
