"""From a file's bytes to a Document: one module per format, imported when the first such file comes."""

import warnings
from importlib import import_module
from pathlib import Path, PurePath
from typing import Protocol

from infinidoc.documents import packed
from infinidoc.documents.charset import looks_binary
from infinidoc.documents.document import MAX_CHARACTERS, TOO_LONG, Document, Unreadable
from infinidoc.documents.formats import ocr, signature
from infinidoc.documents.formats.signature import ARCHIVE, PICTURES, kind_of

MAX_BYTES = 256 << 20

_MODULES = {
    "pdf": "pdf",
    "docx": "docx",
    "pptx": "pptx",
    "xlsx": "xlsx",
    "xlsm": "xlsx",
    "csv": "csv",
    "tsv": "csv",
    "html": "html",
    "htm": "html",
    "xhtml": "html",
    "odt": "opendocument",
    "ods": "opendocument",
    "odp": "opendocument",
    "odg": "opendocument",
    "fodt": "opendocument",
    "fods": "opendocument",
    "fodp": "opendocument",
    "fodg": "opendocument",
    "xls": "xls",
    "doc": "libreoffice",
    "ppt": "libreoffice",
    "msg": "outlook",
    "png": "picture",
    "jpeg": "picture",
    "tiff": "picture",
    "webp": "picture",
    "epub": "epub",
    "rtf": "rtf",
    "eml": "mail",
    "mht": "mail",
    "mhtml": "mail",
    "mbox": "mail",
    "json": "json",
    "jsonl": "json",
    "ndjson": "json",
    "ipynb": "notebook",
}


class Opened(Protocol):
    """A file, a pipe, or a member of an archive."""

    def read(self, size: int, /) -> bytes: ...


# Text to a program, but nothing that a person would read: coordinates and control words.
_NO_PROSE = {"svg", "ps", "eps"}


def load(path: Path) -> bytes:
    """The bytes of a file, on the disk or in an archive. Raises Unreadable if it is larger than `MAX_BYTES` or can't be
    opened."""
    try:
        with open(path, "rb") as file:
            return limited(file)
    except OSError as error:
        if (member := packed.member(str(path))) is None:
            raise Unreadable.because(error) from None
        return limited(member)


def limited(file: Opened) -> bytes:
    """All of an open file, which may have no end. Raises Unreadable if it is larger than `MAX_BYTES`."""
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Unreadable(f"larger than {MAX_BYTES >> 20} MB: split it")
    return data


def refusal(name: str, head: bytes) -> str | None:
    """Why no reader takes a file of this name that begins with these bytes, or None if one may."""
    extension = _extension(name)
    kind = kind_of(extension, head)
    if reason := signature.refusal(kind, head):
        return reason
    if kind in PICTURES and not ocr.is_installed():
        return f"a picture: {ocr.HINT}"
    if kind in _NO_PROSE:
        return f"no reader for .{kind}"
    if kind in _MODULES or kind in ("ole", "zip") or not looks_binary(head):
        return None
    return f"binary file, no reader for .{extension}" if extension not in ("", "txt", "text", "md") else "binary file"


def read_document(name: str, data: bytes) -> Document:
    """The document in `data`: its content says what it is, and where that can't, the extension of `name`.

    What is unknown is plain text. Raises Unreadable, and nothing else, whatever the bytes are.
    """
    if not data:
        raise Unreadable("empty")
    if reason := refusal(name, data):
        raise Unreadable(reason)
    extension = _extension(name)
    kind = kind_of(extension, data)
    if kind == "ole":
        raise Unreadable("damaged, or an Office format of its own: save it as docx, pptx or xlsx")
    if kind == "zip":
        raise Unreadable(ARCHIVE)
    reader = import_module(f"{__name__}.{_MODULES.get(kind, 'text')}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # parsers tell the terminal about oddities in files that they read well
            document: Document = reader.read(data, kind or "txt")
    except Unreadable:
        raise
    except Exception as error:  # parsers of foreign formats fail in every way there is
        raise Unreadable(f"damaged, or not really .{extension or kind}") from error
    if not document.text.strip():
        raise Unreadable("empty")
    if len(document.text) > MAX_CHARACTERS:
        raise Unreadable(TOO_LONG)
    return document


def _extension(name: str) -> str:
    return PurePath(name).suffix.lower().removeprefix(".")
