"""Files whose extension lies are read for what they are, or skipped with a line that says what to do."""

import io

import openpyxl
import pytest

from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import read_document, refusal
from tests.documents import samples
from tests.documents.compound import compound

PAGE = b"<html xmlns:x='urn:schemas-microsoft-com:office:excel'><head><style>td{}</style></head><body><p>Quince"


def why_not(name: str, data: bytes) -> str:
    with pytest.raises(Unreadable) as error:
        read_document(name, data)
    return str(error.value)


def workbook() -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["Supplier", "Jars"])
    book.active.append(["Vale Farm", 42])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "format"),
    [
        ("a.doc", samples.rtf(), "rtf"),
        ("a.docx", samples.rtf(), "rtf"),
        ("a.txt", samples.rtf(), "rtf"),
        ("a.doc", b"\xef\xbb\xbf\r\n" + samples.rtf(), "rtf"),
        ("a.doc", samples.word(), "docx"),
        ("a.pdf", samples.word(), "docx"),
        ("a", samples.word(), "docx"),
        ("a.tmp", samples.slides(), "pptx"),
        ("a.zip", samples.epub(), "epub"),
        ("a.xls", workbook(), "xlsx"),
        ("a.csv", workbook(), "xlsx"),
        ("a.docx", workbook(), "xlsx"),
        ("a.txt", samples.pdf("Quince"), "pdf"),
        ("a.docx", samples.pdf("Quince"), "pdf"),
        ("a.txt", b"\r\n" + samples.pdf("Quince"), "pdf"),
        ("a.doc", samples.old_workbook(), "xls"),
        ("a.xlsx", samples.old_workbook(), "xls"),
        ("a.txt", samples.outlook(), "msg"),
        ("a.xls", PAGE, "html"),
        ("a.xls", b"\xef\xbb\xbf\r\n<TABLE><tr><td>Quince", "html"),
        ("a.xls", PAGE.decode().encode("utf-16"), "html"),
        ("a.doc", b"<?xml version='1.0'?>\n<!-- saved -->\n<!DOCTYPE html>" + PAGE, "html"),
        ("a.pdf", b"<!doctype html><title>Quince</title>", "html"),
        ("a.txt", PAGE, "html"),
        ("a.xls", b"Supplier;Jars of Quince\nVale Farm;42\n", "csv"),
        ("a.xls", "Supplier\tJars of Quince\nVale Farm\t42\n".encode("utf-16"), "csv"),
        ("a.doc", b"Quince", "txt"),
        ("a.pdf", b"Quince", "txt"),
        ("a.doc", b"MIME-Version: 1.0\nContent-Type: text/html\n\n<p>Quince", "eml"),
        ("Inbox", b"From - Mon Mar  2 18:05:00 2026\nSubject: Quince\n\nx\n", "mbox"),
    ],
)
def test_content_decides(name, data, format):
    assert refusal(name, data[:8192]) is None  # what a walk through the files sees
    document = read_document(name, data)
    assert document.format == format
    assert not any(markup in document.text for markup in ("\\rtf1", "\\fonttbl", "<td", "<p", "PK", "%PDF", "\0"))
    assert any(word in document.text for word in ("Quince", "Vale Farm", "café", "Ishmael", "Lighthouses", "Prices"))


@pytest.mark.parametrize("name", ["a.vue", "a.py", "a.md", "a.tmpl"])
def test_tags_that_were_written_to_be_seen_stay(name):
    assert read_document(name, PAGE).text.startswith("<html")


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        ("WordDocument", "an old Office format: install LibreOffice, or save it as docx"),
        ("PowerPoint Document", "an old Office format: install LibreOffice, or save it as pptx"),
        ("EncryptedPackage", "encrypted"),
        ("Something", "damaged, or an Office format of its own: save it as docx, pptx or xlsx"),
    ],
)
@pytest.mark.parametrize("name", ["a.doc", "a.xlsx", "a.txt", "a"])
def test_old_office_files_say_what_to_do(name, stream, reason, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_not(name, compound({stream: bytes(5000)})) == reason


@pytest.mark.parametrize("name", ["a.txt", "a.gz", "a.pdf", "a"])
@pytest.mark.parametrize(
    "beginning", [b"\x1f\x8b\x08\0", b"BZh91AY&SY", b"\xfd7zXZ\0\0", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\0"]
)
def test_archives_say_what_to_do(name, beginning):
    assert why_not(name, beginning + bytes(300)) == "an archive: unpack it"


def test_other_documents_say_what_to_do():
    files = samples.archive({"photo.jpg": b"x"})
    assert why_not("a.zip", files) == why_not("a.txt", files) == refusal("a.zip", files[:20]) == "an archive: unpack it"
    base = samples.archive({"mimetype": "application/vnd.oasis.opendocument.base", "content.xml": "<x/>"})
    assert why_not("a.odb", base) == why_not("a.odt", base) == "a database or formula of OpenDocument: save it as PDF"
    sheet = b"<?xml version='1.0'?>\n<?mso-application progid='Excel.Sheet'?>\n<Workbook/>"
    assert why_not("a.xls", sheet) == "an old Office format in XML: save it as docx or xlsx"
