"""Plain text, Markdown, reStructuredText, source code: kept as they are, and located by line."""

import html
import re

from infinidoc.documents.charset import clean, decode
from infinidoc.documents.document import Document

# Code is shown as it is written, in fences or in a line; elsewhere entities are letters, and comments aren't shown.
_MARKDOWN = re.compile(
    r"^ {0,3}(?P<fence>```+|~~~+).*?(?:^ {0,3}(?P=fence)|\Z)|`[^`\n]*`|(?P<comment><!--.*?(?:-->|\Z))"
    r"|(?P<entity>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)",
    re.M | re.S,
)


def read(data: bytes, format: str) -> Document:
    text = clean(decode(data))
    return Document(clean(_MARKDOWN.sub(_shown, text)) if format in ("md", "markdown") else text, format)


def _shown(match: re.Match[str]) -> str:
    if match["comment"] and match[0].endswith("-->"):
        return "\n" * match[0].count("\n")  # the lines stay the file's
    if match["entity"]:
        letters = html.unescape(match[0])
        return letters if letters.isprintable() or letters == "\xa0" else match[0]
    return match[0]
