"""What kind of file something is: by its content where that can say, by its extension where it can't."""

import codecs
import io
import re
import zipfile
import zlib

from infinidoc.documents.charset import looks_binary

# How files of a kind begin.
_BEGINNINGS = (
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"PK\x03\x04", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),  # Office before 2007, and what Office encrypts
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_OPENDOCUMENT = {
    "text": "odt",
    "spreadsheet": "ods",
    "presentation": "odp",
    "graphics": "odg",
}  # by their media types
_FLAT = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*)?<office:document\s[^>]{0,8000}?"
    rb"office:mimetype=[\"']application/vnd\.oasis\.opendocument\.(\w+)"
)


ARCHIVE = "an archive: unpack it"
PICTURES = frozenset(["png", "jpeg", "tiff", "webp"])
_OTHER_ARCHIVES = frozenset(["gzip", "bzip2", "xz", "7z", "rar", "zstd", "tar"])

# The first member of an archive that is a document; others, such as a folder of photographs, aren't looked into.
_DOCUMENT = re.compile(
    rb"PK\x03\x04.{26}(?:\[Content_Types\]\.xml|mimetype|_rels/|docProps/|customXml/|word/|xl/|ppt/|META-INF/container)",
    re.S,
)
_MEMBERS = {"word/document.xml": "docx", "xl/workbook.xml": "xlsx", "ppt/presentation.xml": "pptx"}

# Streams of an OLE file, as its root names them, and what they make of it.
_OLE = {
    "encryptedpackage": "encrypted",
    "worddocument": "doc",
    "powerpoint document": "ppt",
    "__properties_version1.0": "msg",
    "workbook": "xls",
    "book": "xls",
}
_ARCHIVES = frozenset(["docx", "docm", "pptx", "xlsx", "xlsm", "epub", *_OPENDOCUMENT.values()])
_OFFICE = frozenset(["doc", "dot", "xls", "xlt", "ppt", "pps", *_ARCHIVES])
_BINARY = _OFFICE | {"pdf", "rtf"}
_TABLES = frozenset(["xls", "xlt", "xlsx", "xlsm"])
# Extensions behind which a page is a page; behind others, such as those of templates, its tags are what is written.
_PAGES = _BINARY | {"", "txt", "text", "csv", "tsv", "ipynb", "dat", "asp", "aspx", "jsp", "php", "cgi"}
_PAGE = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*|<!--.{0,2000}?-->\s*){0,3}<(?:!doctype\s+html|html|head|table)\b", re.I | re.S
)
_OFFICE_XML = re.compile(rb"\s*<\?xml.{0,400}?(?:schemas-microsoft-com:office:|<\?mso-application)", re.S)
_WEB_ARCHIVE = re.compile(rb"\s*(?:(?:From|Subject|Date|X-[\w-]+):[^\n]*\n){0,6}MIME-Version:", re.I)
_MAILBOX = re.compile(rb"From [^\n]{1,200} \d\d:\d\d[^\n]{0,60}\n(?:[\w-]+:|>From )")


def kind_of(extension: str, data: bytes) -> str:
    """What a file is: "pdf", "docx", "html", … or its lower-case extension, without the dot.

    `data` may be no more than the file's beginning; an archive whose members can't be seen yet is a "zip".
    """
    bare = data[:64].removeprefix(codecs.BOM_UTF8).lstrip()
    kind = next((kind for beginning, kind in _BEGINNINGS if bare.startswith(beginning)), "")
    if kind == "zip":
        return _packed(data) or (extension if extension in _ARCHIVES else kind)
    if kind == "ole":
        return _compound(data)
    if kind:
        return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[257:262] == b"ustar":
        return "tar"
    if extension in ("", "mbx"):
        return "mbox" if _MAILBOX.match(data) else extension
    head = data[:8192].removeprefix(codecs.BOM_UTF8)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head = head.decode("utf-16", "replace").encode()
    if flat := _FLAT.match(head):
        return f"f{_OPENDOCUMENT.get(flat[1].decode(), 'odt')}"
    if extension in _PAGES and _PAGE.match(head):
        return "html"
    if extension in _OFFICE and _WEB_ARCHIVE.match(head):
        return "eml"
    if extension in _OFFICE and _OFFICE_XML.match(head):
        return "office-xml"
    if extension in _BINARY and not looks_binary(data) and b"%PDF-" not in data[:1024]:
        return "csv" if extension in _TABLES else "txt"
    return extension


def _packed(data: bytes) -> str:
    """What document a zip archive is; "" if it is another archive, or not all of it is there."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            if "META-INF/container.xml" in names:
                return "epub"
            media = archive.open("mimetype").read(100) if "mimetype" in names else b""
            if media.startswith(b"application/vnd.oasis.opendocument."):
                kind = media.strip().removesuffix(b"-template").rpartition(b".")[2]
                return _OPENDOCUMENT.get(kind.decode("latin-1"), "opendocument")
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError, OSError, RuntimeError, zlib.error):
        return ""
    return next((kind for name, kind in _MEMBERS.items() if name in names), "")


def _compound(data: bytes) -> str:
    """What an OLE file is; "ole" if it is something else, damaged, or not all there."""
    import olefile

    try:
        with olefile.OleFileIO(data) as source:
            names = {path[0].lower() for path in source.listdir() if len(path) == 1}
    except Exception:  # it is found damaged in many ways
        return "ole"
    return next((kind for name, kind in _OLE.items() if name in names), "ole")


def refusal(kind: str, data: bytes) -> str | None:
    """Why nothing reads a file of this kind, or None. `data` may be its beginning: then less is refused."""
    if kind == "encrypted":
        return kind
    if kind == "office-xml":
        return "an old Office format in XML: save it as docx or xlsx"
    if kind == "opendocument":
        return "a database or formula of OpenDocument: save it as PDF"
    if kind in _OTHER_ARCHIVES or (kind == "zip" and not _DOCUMENT.match(data)):
        return ARCHIVE
    return None
