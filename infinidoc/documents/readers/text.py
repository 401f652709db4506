"""Plain text, Markdown, reStructuredText, source code: kept as they are, and located by line."""

from infinidoc.documents.document import Document
from infinidoc.documents.encoding import clean, decode


def read(data: bytes, format: str) -> Document:
    return Document(clean(decode(data)), format)
