"""From a file's bytes to a Document: one module per format, imported when the first such file comes."""

import warnings
from importlib import import_module
from pathlib import Path, PurePath

from infinidoc.documents.charset import looks_binary
from infinidoc.documents.document import Document, Unreadable

MAX_BYTES = 256 << 20

_MODULES = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".pptx": "pptx",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".csv": "csv",
    ".tsv": "csv",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".epub": "epub",
    ".eml": "mail",
    ".mbox": "mail",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".ipynb": "notebook",
}
# Text to a program, but nothing that a person would read: coordinates and control words.
_NO_PROSE = {".svg", ".rtf", ".ps", ".eps"}


def load(path: Path) -> bytes:
    """A file's bytes. Raises Unreadable if it is larger than `MAX_BYTES` or can't be opened."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except PermissionError:
        raise Unreadable("permission denied") from None
    except OSError as error:
        raise Unreadable((error.strerror or "can't be read").lower()) from None
    if len(data) > MAX_BYTES:
        raise Unreadable(f"larger than {MAX_BYTES >> 20} MB: split it")
    return data


def refusal(name: str, head: bytes) -> str | None:
    """Why no reader takes a file of this name that begins with these bytes, or None if one does."""
    suffix = _suffix(name, head)
    if suffix in _NO_PROSE:
        return f"no reader for {suffix}"
    if suffix in _MODULES or not looks_binary(head):
        return None
    return f"binary file, no reader for {suffix}" if suffix else "binary file"


def read_document(name: str, data: bytes) -> Document:
    """The document in `data`. The extension of `name` says what it is; unknown ones are plain text.

    Raises Unreadable, and nothing else, whatever the bytes are.
    """
    if not data:
        raise Unreadable("empty")
    if reason := refusal(name, data):
        raise Unreadable(reason)
    suffix = _suffix(name, data)
    reader = import_module(f"{__name__}.{_MODULES.get(suffix, 'text')}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # parsers tell the terminal about oddities in files that they read well
            document: Document = reader.read(data, suffix.removeprefix(".") or "txt")
    except Unreadable:
        raise
    except Exception as error:  # parsers of foreign formats fail in every way there is
        raise Unreadable(f"damaged, or not really {suffix}") from error
    if not document.text.strip():
        raise Unreadable("empty")
    return document


def _suffix(name: str, head: bytes) -> str:
    suffix = PurePath(name).suffix.lower()
    return ".pdf" if suffix not in _MODULES and head.startswith(b"%PDF-") else suffix
