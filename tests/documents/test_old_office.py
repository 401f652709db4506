"""Office files of before 2007: workbooks are read here, texts and presentations by way of LibreOffice."""

import io
import os
import shutil
import subprocess
import sys
import time
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import xlwt

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import libreoffice, read_document
from tests.documents import samples
from tests.documents.compound import compound

WORD = compound({"WordDocument": bytes(5000)})
SLIDES = compound({"PowerPoint Document": bytes(5000)})


# Workbooks


def workbook(fill) -> Document:
    book = xlwt.Workbook()
    fill(book)
    file = io.BytesIO()
    book.save(file)
    return read_document("a.xls", file.getvalue())


def test_cells_are_shown_by_their_formats_and_rows_name_their_columns():
    def fill(book):
        sheet = book.add_sheet("Bills")
        styles = ["General", "d mmm yyyy", "#,##0.00", "0.0%"]
        for column, name in enumerate(["Who", "Day", "Sum", "Share"]):
            sheet.write(0, column, name)
        for row in (2, 3):
            for column, value in enumerate(["Ann", date(2026, 5, 11), 1234.5, 0.075]):
                sheet.write(row, column, value, xlwt.easyxf(num_format_str=styles[column]))

    document = workbook(fill)
    line = "Who: Ann; Day: 11 May 2026; Sum: 1,234.50; Share: 7.5%"
    assert document.text == f"Sheet Bills\n{line}\n{line}"
    assert [mark.label for mark in document.marks] == ["sheet Bills", "sheet Bills, row 3", "sheet Bills, row 4"]
    assert (document.pages, document.format) == (1, "xls")


def test_hidden_parts_are_left_out_and_said():
    def fill(book):
        sheet = book.add_sheet("S")
        for row in range(3):
            for column in range(3):
                sheet.write(row, column, 10 * row + column)
        sheet.row(1).hidden = True
        sheet.col(1).hidden = True
        book.add_sheet("Secret").visibility = 1

    document = workbook(fill)
    assert document.text == "Sheet S\n0; 2\n20; 22"
    assert document.notes == ("1 row of sheet S hidden, and left out", "sheet Secret is hidden, and left out")


def test_merged_cells_and_booleans():
    def fill(book):
        sheet = book.add_sheet("S")
        sheet.write_merge(0, 1, 0, 0, 7)
        sheet.write(0, 1, True)
        sheet.write(1, 1, 2.50)
        sheet.write_merge(2, 2, 0, 1, "a title")

    assert workbook(fill).text == "Sheet S\n7; TRUE\n7; 2.5\na title"


def test_a_damaged_workbook():
    book = xlwt.Workbook()
    book.add_sheet("S").write(0, 0, "x")
    file = io.BytesIO()
    book.save(file)
    with pytest.raises(Unreadable, match=r"^damaged"):
        read_document("a.xls", file.getvalue()[:3000])


# Texts and presentations: a program that stands in for LibreOffice


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Installs a program under the name of LibreOffice; it is given Python code, in which `out` is the directory."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(code: str) -> None:
        begin = (
            f"#!{sys.executable}\nimport sys, os, time, subprocess\nout = sys.argv[sys.argv.index('--outdir') + 1]\n"
        )
        (folder / "soffice").write_text(begin + code)
        (folder / "soffice").chmod(0o755)

    return install


def why_not(data: bytes = WORD, name: str = "a.doc") -> str:
    with pytest.raises(Unreadable) as error:
        read_document(name, data)
    return str(error.value)


def writes(data: bytes, tmp_path: Path, name: str) -> str:
    (tmp_path / "made").write_bytes(data)
    return f"open(os.path.join(out, {name!r}), 'wb').write(open({str(tmp_path / 'made')!r}, 'rb').read())\n"


@pytest.mark.parametrize(
    ("name", "data", "made", "today"),
    [
        ("a.doc", WORD, samples.word(), "a.docx"),
        ("a.ppt", SLIDES, samples.slides(), "a.pptx"),
        ("a", WORD, samples.word(), "a.docx"),
    ],
)
def test_what_the_program_makes_is_read(name, data, made, today, program, tmp_path):
    program(writes(made, tmp_path, today) + f"open({str(tmp_path / 'said')!r}, 'w').write('\\n'.join(sys.argv))")
    document = read_document(name, data)
    assert document.text == read_document(today, made).text
    assert document.format in ("doc", "ppt")
    said = (tmp_path / "said").read_text().split("\n")
    (profile,) = (word.partition("=file://")[2] for word in said if word.startswith("-env:UserInstallation="))
    folder = said[said.index("--outdir") + 1]
    assert profile.startswith(folder)
    assert not os.path.exists(folder)


def test_without_the_program_a_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert why_not() == "an old Office format: install LibreOffice, or save it as docx"
    assert why_not(SLIDES, "a.ppt") == "an old Office format: install LibreOffice, or save it as pptx"


def test_a_program_that_fails_or_writes_nothing(program):
    program("sys.exit(1)")
    assert why_not() == "LibreOffice can't convert it: damaged?"
    program("os.abort()")
    assert why_not() == "LibreOffice can't convert it: damaged?"


def test_a_program_that_writes_garbage(program, tmp_path):
    program(writes(b"garbage", tmp_path, "a.docx"))
    assert why_not().startswith("damaged")


def test_a_program_that_can_not_be_started(program, tmp_path):
    program("")
    (tmp_path / "bin" / "soffice").write_text("#!/no/such/interpreter\n")
    assert why_not().startswith("LibreOffice doesn't start")


def test_a_program_that_takes_too_long_is_killed_with_its_children(program, tmp_path, monkeypatch):
    monkeypatch.setattr(libreoffice, "_SECONDS", 2)
    child = tmp_path / "child"
    sleep = f"subprocess.Popen([{sys.executable!r}, '-c', 'import time; time.sleep(300)'])"
    program(f"open({str(child)!r}, 'w').write(str({sleep}.pid))\ntime.sleep(300)")
    assert why_not() == "LibreOffice took more than 2 seconds: save it as docx"
    pid = int(child.read_text())
    for _ in range(100):
        if not alive(pid):
            return
        time.sleep(0.05)
    pytest.fail("the child is still there")


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except FileNotFoundError:
        return False


def test_a_program_that_writes_without_end(program, monkeypatch):
    monkeypatch.setattr(libreoffice, "MAX_BYTES", 100_000)
    program("with open(os.path.join(out, 'a.docx'), 'wb') as file:\n    while True:\n        file.write(b'0' * 10_000)")
    assert why_not() == "larger than 0 MB as docx: split it"


def test_encrypted_files_are_not_given_to_the_program(program):
    program("sys.exit(1)")
    assert why_not(compound({"WordDocument": bytes(11) + b"\1" + bytes(5000)})) == "encrypted"
    assert why_not(compound({"PowerPoint Document": bytes(9), "EncryptedSummary": b""}), "a.ppt") == "encrypted"


def test_what_only_calls_itself_a_text_is_not_given_to_the_program(program):
    program("sys.exit(1)")
    assert why_not(b"\0\1\2" * 100) == "damaged, or not really .doc"


# And LibreOffice itself


@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice")
@pytest.mark.parametrize(
    ("name", "made", "said"),
    [
        ("a.docx", samples.word(), "Fruit | Price\nApple | 3.20\n\n- first\n- second"),
        ("a.pptx", samples.slides(), "Notes: Mention the keeper."),
    ],
)
def test_libreoffice_turns_old_files_into_new_ones(name, made, said, tmp_path):
    (tmp_path / name).write_bytes(made)
    profile, old = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", name[:-1]
    command = ["soffice", profile, "--headless", "--convert-to", old[2:], "--outdir", tmp_path, tmp_path / name]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    document = read_document(old, (tmp_path / old).read_bytes())
    assert said in document.text
    assert document.marks == read_document(name, made).marks


@pytest.mark.skipif(shutil.which("soffice") is None, reason="needs LibreOffice")
def test_nothing_that_a_document_links_to_is_fetched(tmp_path):
    asked = []

    class Picture(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Picture)
    Thread(target=server.serve_forever, daemon=True).start()
    link = f'<draw:image xlink:href="http://127.0.0.1:{server.server_port}/x.png" xlink:type="simple"/>'
    frame = f'<draw:frame svg:width="2cm" svg:height="2cm" text:anchor-type="as-char">{link}</draw:frame>'
    (tmp_path / "a.fodt").write_bytes(samples.flat_opendocument("text", f"<text:p>Hello {frame} world</text:p>"))
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = ["soffice", profile, "--headless", "--convert-to", "doc", "--outdir", tmp_path, tmp_path / "a.fodt"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    data = (tmp_path / "a.doc").read_bytes()
    assert f"127.0.0.1:{server.server_port}".encode("utf-16-le") in data or b"127.0.0.1" in data
    asked.clear()
    assert read_document("a.doc", data).text.split() == ["Hello", "world"]
    server.shutdown()
    assert asked == []
