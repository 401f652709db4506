"""Makes the binary files of examples/library out of the plain ones in examples/sources.

    python examples/build_library.py

The other files of the library are plain text already. The same sources and library versions give the same bytes.
Needs python-docx, python-pptx, xlsxwriter (which python-pptx brings) and reportlab.
"""

import csv
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import docx
import pptx
import xlsxwriter
from pptx.util import Pt
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer

SOURCES = Path(__file__).with_name("sources")
LIBRARY = Path(__file__).with_name("library")
MADE = datetime(2026, 3, 9, tzinfo=UTC)  # in every file's properties, so that a second run changes nothing

CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="content.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
PACKAGE = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:infinidoc:example:history</dc:identifier>
<dc:title>{title}</dc:title>
<dc:language>en</dc:language>
<dc:rights>{rights}</dc:rights>
<meta property="dcterms:modified">2026-03-09T00:00:00Z</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
{items}
</manifest>
<spine>
{spine}
</spine>
</package>
"""
PAGE = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en">
<head><title>{title}</title></head>
<body>
{body}
</body>
</html>
"""


def blocks(source: str) -> Iterator[tuple[str, str]]:
    """A file's blocks in our corner of Markdown: ("#", title), ("##", heading), ("|", table) or ("", paragraph)."""
    for block in (SOURCES / source).read_text(encoding="utf-8").strip().split("\n\n"):
        if block.startswith("|"):
            yield "|", block
        else:
            text = block.lstrip("#")
            yield block.removesuffix(text), text.strip()


def table_rows(block: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
    return [rows[0], *rows[2:]]  # the second is the rule under the head


def label(office_file: docx.document.Document | pptx.presentation.Presentation, title: str, rights: str) -> None:
    properties = office_file.core_properties
    properties.title, properties.author, properties.comments = title, "", rights
    properties.created = properties.modified = MADE


def freeze(target: Path) -> None:
    """Writes a zip file anew without the hour it was made."""
    with zipfile.ZipFile(target) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def word(source: str, target: str, rights: str) -> None:
    document = docx.Document()
    for kind, text in blocks(source):
        if kind == "|":
            rows = table_rows(text)
            table = document.add_table(len(rows), len(rows[0]), style="Light Grid Accent 1")
            for cells, row in zip(table.rows, rows, strict=True):
                for cell, value in zip(cells.cells, row, strict=True):
                    cell.text = value
        elif kind:
            document.add_heading(text, len(kind))
        else:
            document.add_paragraph(text)
    label(document, next(blocks(source))[1], rights)
    document.save(str(LIBRARY / target))
    freeze(LIBRARY / target)


def slides(source: str, target: str, rights: str) -> None:
    show = pptx.Presentation()
    for kind, text in blocks(source):
        if kind:
            slide = show.slides.add_slide(show.slide_layouts[0 if kind == "#" else 1])
            slide.shapes.title.text = text
        else:
            body = slide.placeholders[1].text_frame
            paragraph = body.add_paragraph() if body.text else body.paragraphs[0]
            paragraph.text = text
            paragraph.font.size = Pt(16)
    label(show, next(blocks(source))[1], rights)
    show.slides[0].placeholders[1].text = rights
    show.save(str(LIBRARY / target))
    freeze(LIBRARY / target)


def workbook(sheets: dict[str, str], target: str) -> None:
    """One sheet per CSV file. Whole and decimal numbers become numbers."""
    with xlsxwriter.Workbook(str(LIBRARY / target), {"strings_to_numbers": True}) as book:
        book.set_properties({"created": MADE})
        bold = book.add_format({"bold": True})
        for name, source in sheets.items():
            sheet = book.add_worksheet(name)
            with open(SOURCES / source, encoding="utf-8", newline="") as file:
                for number, row in enumerate(csv.reader(file)):
                    sheet.write_row(number, 0, row, None if number else bold)
            sheet.freeze_panes(1, 0)
            sheet.autofit()


def epub(source: str, target: str, title: str, rights: str) -> None:
    chapters: list[tuple[str, list[str]]] = []
    for kind, text in blocks(source):
        if kind:
            chapters.append((text, []))
        else:
            chapters[-1][1].append(text)

    names = [f"chapter{number}.xhtml" for number in range(1, len(chapters) + 1)]
    links = "\n".join(f'<li><a href="{n}">{escape(h)}</a></li>' for n, (h, _) in zip(names, chapters, strict=True))
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "content.opf": PACKAGE.format(
            title=escape(title),
            rights=escape(rights),
            items="\n".join(f'<item id="{n}" href="{n}" media-type="application/xhtml+xml"/>' for n in names),
            spine="\n".join(f'<itemref idref="{n}"/>' for n in names),
        ),
        "nav.xhtml": PAGE.format(title=escape(title), body=f'<nav epub:type="toc"><ol>\n{links}\n</ol></nav>'),
    }
    for name, (heading, paragraphs) in zip(names, chapters, strict=True):
        body = "\n".join([f"<h1>{escape(heading)}</h1>", *(f"<p>{escape(text)}</p>" for text in paragraphs)])
        files[name] = PAGE.format(title=escape(heading), body=body)
    with zipfile.ZipFile(LIBRARY / target, "w") as archive:
        for name, text in files.items():  # the standard wants the mimetype first, and not compressed
            method = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name), text, method)


class Numbered(SimpleDocTemplate):
    def afterPage(self) -> None:  # so that the page's number comes after its text, for those who read the file's text
        self.canv.setFont("Helvetica", 9)
        self.canv.drawCentredString(A4[0] / 2, 10 * mm, str(self.page))


def pdf(source: str, target: str, title: str, rights: str) -> None:
    """A title page, then every "#" on a page of its own."""
    text_style = ParagraphStyle("text", fontName="Times-Roman", fontSize=10, leading=12, spaceAfter=4)
    label_style = ParagraphStyle("label", text_style, leftIndent=5 * mm, firstLineIndent=-5 * mm, spaceAfter=1.5)
    styles = {
        "#": ParagraphStyle("h1", fontName="Helvetica-Bold", fontSize=20, leading=24, spaceAfter=6),
        "##": ParagraphStyle(
            "h2", fontName="Helvetica-Bold", fontSize=11.5, leading=14, keepWithNext=1, spaceBefore=6, spaceAfter=2
        ),
    }
    story = [Spacer(1, 70 * mm), Paragraph(title, styles["#"]), Paragraph(rights, text_style)]
    for kind, text in blocks(source):
        if kind == "#":
            story.append(PageBreak())
        style = styles.get(kind) or (label_style if text.startswith("**") else text_style)
        story.append(Paragraph(re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(text, quote=False)), style))

    margins = {"topMargin": 13 * mm, "bottomMargin": 15 * mm, "leftMargin": 21 * mm, "rightMargin": 21 * mm}
    document = Numbered(str(LIBRARY / target), title=title, subject=rights, pagesize=A4, invariant=1, **margins)
    document.build(story)


def main() -> None:
    wikipedia = "Text: Wikipedia contributors, CC BY-SA 4.0"
    word("pharmacy.md", "articles/pharmacy.docx", wikipedia)
    word("civil-disobedience.md", "articles/civil-disobedience.docx", wikipedia)
    slides("apollo-program.md", "articles/apollo-program.pptx", wikipedia)
    epub("history.md", "articles/history.epub", "Five articles on history", wikipedia)
    pdf(
        "world-factbook.md",
        "reference/world-factbook.pdf",
        "The World Factbook: twenty-one countries",
        "Selected from The World Factbook of the Central Intelligence Agency, a work of the Government of the "
        "United States of America and in the public domain. Figures are of the years given beside them.",
    )
    workbook({"Elements": "elements.csv"}, "reference/elements.xlsx")
    word("minutes.md", "reading-room/minutes-2026-03-04.docx", "CC0 1.0")
    sheets = {"Furniture": "inventory.csv", "Keys": "keys.csv", "Magazines": "magazines.csv"}
    workbook(sheets, "reading-room/inventory.xlsx")


if __name__ == "__main__":
    main()
