"""Plain text, Markdown, reStructuredText, source code: kept as they are, and located by line."""

from infinidoc.documents.charset import clean, decode
from infinidoc.documents.document import Document


def read(data: bytes, format: str) -> Document:
    return Document(clean(decode(data)), format)
