"""Real files of each format, small and made on the spot."""

import io
import json
import mailbox
import zipfile
from email.message import EmailMessage
from pathlib import Path

import docx
import openpyxl
import pptx
import xlwt
from pptx.util import Inches
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

from tests.documents.compound import compound

LONG = "The committee met on Tuesday to discuss the budget of the coming year, which had been put off twice. "


def pdf(*pages: list[tuple[str, str]] | str, password: str | None = None) -> bytes:
    """Pages of (style, text) pairs; a plain string is one paragraph."""
    styles = getSampleStyleSheet()
    flow: list[object] = []
    for page in pages:
        for style, text in [("BodyText", page)] if isinstance(page, str) else page:
            flow.append(Paragraph(text, styles[style]))
        flow.append(PageBreak())
    file = io.BytesIO()
    encrypt = StandardEncryption(password, ownerPassword="owner") if password else None
    SimpleDocTemplate(file, encrypt=encrypt).build(flow)
    return file.getvalue()


def word() -> bytes:
    document = docx.Document()
    document.add_paragraph("Before any heading.")
    document.add_heading("Prices", level=1)
    document.add_paragraph("An apple is cheap.")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        [cell for row in table.rows for cell in row.cells], ["Fruit", "Price", "Apple", "3.20"], strict=True
    ):
        cell.text = text
    document.add_paragraph("first", style="List Bullet")
    document.add_paragraph("second", style="List Bullet")
    document.add_heading("Opening hours", level=2)
    document.add_paragraph("Daily from nine.")
    return _saved(document)


def slides() -> bytes:
    presentation = pptx.Presentation()
    first = presentation.slides.add_slide(presentation.slide_layouts[1])
    first.shapes.title.text = "Lighthouses"
    first.placeholders[1].text = "They are tall.\vAnd bright."
    first.notes_slide.notes_text_frame.text = "Mention the keeper."
    second = presentation.slides.add_slide(presentation.slide_layouts[6])
    table = second.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    for index, text in enumerate(["Tower", "Height", "Eddystone", "49 m"]):
        table.cell(index // 2, index % 2).text = text
    box = second.shapes.add_group_shape().shapes.add_textbox(Inches(1), Inches(3), Inches(2), Inches(1))
    box.text_frame.text = "Inside a group"
    return _saved(presentation)


def workbook() -> bytes:
    book = openpyxl.Workbook()
    prices = book.active
    prices.title = "Prices"
    for row in [
        ["Fruit list of 2026"],
        [],
        ["Fruit", "Price", "Since"],
        ["Apple", 3.2, 2019],
        ["Pear", 0.1 + 0.2, None],
    ]:
        prices.append(row)
    book.create_sheet("Empty")
    book.create_sheet("Staff").append(["Ann", 41])
    return _saved(book)


def old_workbook() -> bytes:
    """As Excel before 2007 wrote it."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Prices")
    for row, cells in enumerate([["Fruit", "Price"], ["Apple", 3.2], ["Quince", 0.3]]):
        for column, cell in enumerate(cells):
            sheet.write(row, column, cell)
    return _saved(book)


def outlook() -> bytes:
    """A message as Outlook saves it."""
    texts = {0x0037: "The boiler", 0x0C1A: "Ann Ågren", 0x1000: "Quince again.\r\n" * 400}
    streams = {f"__substg1.0_{number:04X}001F": text.encode("utf-16-le") for number, text in texts.items()}
    return compound({**streams, "__properties_version1.0": bytes(32)})


def epub(extra: dict[str, str | bytes] | None = None) -> bytes:
    """Two chapters, the first in reading order last in the archive; written as XHTML, with a self-closed title."""
    page = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{}</body></html>'
    return archive(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
            "OEBPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
            '<item id="b" href="text/b%20b.xhtml"/><item id="a" href="text/a.xhtml"/></manifest>'
            '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>',
            "OEBPS/text/b b.xhtml": page.format("<p>No heading here.</p>"),
            "OEBPS/text/a.xhtml": page.format("<h1>Loomings</h1><p>Call me Ishmael.</p>"),
            **(extra or {}),
        }
    )


_OPENDOCUMENT = (
    "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{given}:1.0"'
        for name, given in {
            **{
                name: name for name in ("office", "text", "table", "style", "presentation", "chart", "form", "manifest")
            },
            "draw": "drawing",
            "svg": "svg-compatible",
        }.items()
    )
    + ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xlink="http://www.w3.org/1999/xlink"'
)
_MEDIA = {"text": "text", "spreadsheet": "spreadsheet", "presentation": "presentation", "drawing": "graphics"}


def opendocument(
    kind: str, body: str, automatic: str = "", styles: str = "", extra: dict[str, str | bytes] | None = None
) -> bytes:
    """An OpenDocument file; `kind` is "text", "spreadsheet", "presentation" or "drawing"."""
    content = (
        f"<office:document-content{_OPENDOCUMENT}><office:automatic-styles>{automatic}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    return archive(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{_MEDIA[kind]}",
            "META-INF/manifest.xml": f"<manifest:manifest{_OPENDOCUMENT}/>",
            "content.xml": content,
            "styles.xml": f"<office:document-styles{_OPENDOCUMENT}>{styles}</office:document-styles>",
            **(extra or {}),
        }
    )


def flat_opendocument(kind: str, body: str) -> bytes:
    """The same in one XML file, such as .fodt."""
    return (
        f'<?xml version="1.0"?><office:document{_OPENDOCUMENT} '
        f'office:mimetype="application/vnd.oasis.opendocument.{_MEDIA[kind]}"><office:body><office:{kind}>{body}'
        f"</office:{kind}></office:body></office:document>"
    ).encode()


def odt() -> bytes:
    return opendocument(
        "text",
        "<text:h text:outline-level='1'>Prices</text:h><text:p>An apple<text:note><text:note-citation>1"
        "</text:note-citation><text:note-body><text:p>or two</text:p></text:note-body></text:note> is cheap.</text:p>"
        "<table:table><table:table-row><table:table-cell><text:p>Fruit</text:p></table:table-cell><table:table-cell>"
        "<text:p>Price</text:p></table:table-cell></table:table-row></table:table>",
    )


def ods() -> bytes:
    return opendocument("spreadsheet", sheet("Prices", ["Fruit", "Price"], ["Apple", "3.20"], ["Pear", "0.3"]))


def sheet(name: str, *rows: list[str]) -> str:
    """A table of an OpenDocument; a cell that begins with "<" stands for itself."""
    cells = [
        "".join(
            cell if cell.startswith("<") else f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>"
            for cell in row
        )
        for row in rows
    ]
    lines = "".join(f"<table:table-row>{row}</table:table-row>" for row in cells)
    return f'<table:table table:name="{name}">{lines}</table:table>'


def odp() -> bytes:
    box = "<draw:text-box><text:p>{}</text:p></draw:text-box>"
    frame = f'<draw:frame presentation:class="{{}}" svg:y="{{}}cm">{box}</draw:frame>'
    notes = f"<presentation:notes>{frame.format('notes', 1, 'Mention the keeper.')}</presentation:notes>"
    slide = frame.format("outline", 5, "They are tall.") + frame.format("title", 9, "Lighthouses") + notes
    return opendocument("presentation", f"<draw:page>{slide}</draw:page>")


def rtf() -> bytes:
    """As Word writes it: a heading, a footnote, a comment, a table, a list, a deletion, a page header, two scripts."""
    return rb"""{\rtf1\ansi\ansicpg1252\uc1\deff0{\fonttbl{\f0\froman\fcharset0 Times;}{\f1\fswiss\fcharset204 Arial;}}
{\colortbl;\red255\green0\blue0;}{\stylesheet{\s1 heading 1;}}{\*\generator Writer 1.0;}{\info{\author Nobody}}
{\header \pard Ferry Lane Society\par}
\pard\s1\outlinelevel0 {\b Keys}\par
\pard\plain\f0 The keys are at the caf\'e9{\super\chftn}{\footnote {\super\chftn} Closed on \u8220?Sundays\u8221?.}
 on the corner{\deleted  of Mill Street}{\v hidden}.{\*\atnauthor Ann}{\*\annotation Ask Bob.}\par
{\listtext 1.\tab}\f1 \'ea\'eb\'fe\'f7\f0  and \u-10179?\u-8704?\par
\trowd\cellx900\cellx1800\pard\intbl Fruit\cell Price\cell\row\trowd\pard\intbl Plum\par(ripe)\cell 3\cell\row
\pard{\field{\*\fldinst HYPERLINK "http://x.example"}{\fldrslt A link}} with a\~space\emdash{\pict\bin4 }{}\\}x}
{\pict 0a1b2c}\par}"""


def message(subject: str = "The boiler") -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "Ann Ågren <ann@example.org>"
    mail["To"] = "bob@example.org"
    mail["Date"] = "Mon, 02 Mar 2026 18:05:00 +0000"
    mail["Subject"] = subject
    mail.set_content("Dear Bob,\n\nthe boiler leaks – again.\n\nFrom now on we need a bucket.\n")
    mail.add_alternative("<p>the HTML twin</p>", subtype="html")
    mail.add_attachment(b"\0\1\2", maintype="application", subtype="pdf", filename="offer.pdf")
    return mail


def mbox(directory: Path) -> bytes:
    path = directory / "box"
    box = mailbox.mbox(path)
    box.add(message("First"))
    box.add(message("Zweite Überraschung"))
    box.close()
    return path.read_bytes()


def notebook() -> bytes:
    stream = {"output_type": "stream", "name": "stdout", "text": ["\x1b[31mtwo\x1b[0m\n", "lines\n"]}
    shown = {"output_type": "execute_result", "data": {"text/plain": ["42"], "image/png": "iVBORw0KGgo="}}
    failed = {"output_type": "error", "ename": "ValueError", "evalue": "no boat", "traceback": ["..."]}
    cells = [
        {"cell_type": "markdown", "source": ["# Boats\n", "They float."]},
        {"cell_type": "code", "source": "if True:\n    print(1)", "outputs": [stream, shown, failed]},
    ]
    return json.dumps({"nbformat": 4, "cells": cells}).encode()


def html() -> bytes:
    return b"""<!doctype html><html><head><title>Harbour guide</title><style>p {}</style></head><body>
        <nav><a href="/">Home</a></nav><script>let x = "<p>not me</p>"</script>
        <p>Ships   come <b>ear</b>ly.<br>Mostly.</p>
        <h2>Fees</h2>
        <table><tr><th>Ship</th><th>Fee</th></tr><tr><td><p>Lugger</p><p>(small)</p></td><td>12</td></tr></table>
        <ul><li>cash</li><li><p>card</p></li></ul><ol><li>dock</li><li>pay</li></ol>
        <pre>a  b\n  c</pre>
        </body></html>"""


def archive(members: dict[str, str | bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return file.getvalue()


def members(data: bytes) -> dict[str, bytes]:
    """What an archive holds, by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        return {name: source.read(name) for name in source.namelist()}


def _saved(document: object) -> bytes:
    file = io.BytesIO()
    document.save(file)  # type: ignore[attr-defined]
    return file.getvalue()
