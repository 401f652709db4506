"""Plain text, Markdown, reStructuredText, source code: kept as they are, and located by line."""

import html
import re

from infinidoc.documents.charset import clean, decode
from infinidoc.documents.document import Document
from infinidoc.documents.formats.rows import describe

# Code is shown as it is written, in fences or in a line; elsewhere entities are letters, and comments aren't shown.
_MARKDOWN = re.compile(
    r"^ {0,3}(?P<fence>```+|~~~+).*?(?:^ {0,3}(?P=fence)|\Z)|`[^`\n]*`|(?P<comment><!--.*?(?:-->|\Z))"
    r"|(?P<entity>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)",
    re.M | re.S,
)
_SHORT = 6  # rows: such a table stands whole in a passage, with its names
# A row of names, a row of dashes, rows; what stands in a fence is none.
_TABLE = re.compile(
    r"^ {0,3}(?P<fence>```+|~~~+)(?:.|\n)*?(?:^ {0,3}(?P=fence)|\Z)"
    r"|(?P<head>^(?P<names> {0,3}\|?[^|\n]+\|[^\n]*)\n {0,3}\|?[ ]*:?-+:?[ ]*(?:\|[ ]*:?-+:?[ ]*)+\|?[ ]*\n)"
    r"(?P<rows>(?: {0,3}[^\n]*\|[^\n]*(?:\n(?=[^\n]*\|)|$))+)",
    re.M,
)


def read(data: bytes, format: str) -> Document:
    text = clean(decode(data))
    if format in ("md", "markdown"):
        text = clean(_MARKDOWN.sub(_shown, text))
        text = _TABLE.sub(_named, text)
    return Document(text, format)


def _named(match: re.Match[str]) -> str:
    """A long table, whose rows then name their values; its first two lines stay as they are."""
    if match["fence"] or match["rows"].count("\n") < _SHORT:
        return match[0]
    names = _cells(match["names"])
    rows = match["rows"].split("\n")
    described = [line for _, line in describe([names, *map(_cells, rows)], heads=1)]
    return match["head"] + "\n".join(described[-len(rows) :] if len(described) >= len(rows) else rows)


def _cells(row: str) -> list[str]:
    inside = row.strip().removeprefix("|")
    inside = inside[:-1] if inside.endswith("|") and not inside.endswith("\\|") else inside
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inside)]


def _shown(match: re.Match[str]) -> str:
    if match["comment"] and match[0].endswith("-->"):
        return "\n" * match[0].count("\n")  # the lines stay the file's
    if match["entity"]:
        letters = html.unescape(match[0])
        return letters if letters.isprintable() or letters == "\xa0" else match[0]
    return match[0]
