"""What each reader makes of a good file: the text, and where in the file it stands."""

import datetime
import io
import json
import re
import subprocess
import sys
import zipfile

import docx
import openpyxl
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from infinidoc.documents.document import Document
from infinidoc.documents.formats import read_document
from infinidoc.documents.formats.pdf_paragraphs import Line, paragraphs
from tests.documents import samples


def read(name: str, data: bytes | str) -> Document:
    return read_document(name, data if isinstance(data, bytes) else data.encode())


def place(document: Document, text: str) -> str:
    return document.locate(document.text.index(text))


# Plain text


@pytest.mark.parametrize(
    "name", ["a.txt", "a.MD", "a.rst", "a.py", "a.rs", "Makefile", "a.log", "a.xml", "a.unheard-of"]
)
def test_plain_text_is_kept_line_by_line(name):
    document = read(name, "\ufefffirst\r\n\r\n    indented\rlast\tline\r\n")
    assert document.text == "first\n\n    indented\nlast\tline\n"
    assert [place(document, word) for word in ("first", "indented", "last")] == ["line 1", "line 3", "line 4"]
    assert document.format == (name.lower().partition(".")[2] or "txt")
    assert document.pages == 0


# HTML


def test_html():
    document = read("a.html", samples.html())
    assert document.text == (
        "Harbour guide\n\nShips come early.\nMostly.\n\nFees\n\nShip: Lugger (small); Fee: 12\n\n"
        "- cash\n- card\n\n1. dock\n2. pay\n\na  b\n  c"
    )
    assert place(document, "Ships") == "section Harbour guide"
    assert place(document, "Fees") == place(document, "pay") == "section Fees"


def test_html_without_headings_is_located_by_paragraph():
    document = read("a.htm", "<p>one</p><p>two</p>")
    assert [place(document, word) for word in ("one", "two")] == ["paragraph 1", "paragraph 2"]


def test_html_text_before_the_first_heading_has_a_place():
    document = read("a.htm", "<p>one</p><h3>Two</h3>three")
    assert [place(document, word) for word in ("one", "three")] == ["beginning", "section Two"]


def test_html_tables_that_are_layout_fall_apart_into_blocks():
    page = "<table><tr><td><table><tr><td>a</td><td>b</td></tr></table></td><td><h1>T</h1><p>c</p></td></tr></table>"
    assert read("a.html", page).text == "a | b\n\nT\n\nc"


def test_html_machinery_is_left_out():
    page = (
        '<div role="navigation">no</div><svg><title>no</title></svg><template><p>no</p></template>'
        '<h1>Yes<a class="headerlink">¶</a></h1><p hidden>no</p><button>no</button><noscript>no</noscript><!-- no -->'
    )
    assert read("a.html", page).text == "Yes"


def test_html_that_declares_its_encoding_is_believed():
    page = '<meta http-equiv="Content-Type" content="text/html; charset=windows-1250"><p>hőség</p>'
    assert read("a.html", page.encode("cp1250")).text == "hőség"


def test_self_closed_tags_swallow_nothing_in_xhtml():
    head = '<?xml version="1.0"?><html><head><title/><script src="x"/></head>'
    assert read("a.xhtml", head + "<body><p>a<br/>b<span/></p><p>c</p></body></html>").text == "a\nb\n\nc"


# PDF


def test_pdf_pages():
    document = read("a.pdf", samples.pdf([("Title", "The budget"), ("BodyText", samples.LONG * 4)], "", "Third page."))
    assert document.pages == 3
    assert document.text == "The budget\n\n" + (samples.LONG * 4).strip() + "\n\nThird page."
    assert place(document, "budget") == "page 1"
    assert place(document, "Third") == "page 3"
    assert [mark.breaks for mark in document.marks] == [True, True]


def test_pdf_paragraphs_and_short_lines_stay_apart():
    text = samples.LONG.strip()
    page = [("BodyText", text * 2), ("BodyText", text * 3), ("BodyText", "12 Ferry Lane<br/>Quillhaven<br/>N 5")]
    assert read("a.pdf", samples.pdf(page)).text == f"{text * 2}\n\n{text * 3}\n\n12 Ferry Lane\nQuillhaven\nN 5"


def test_pdf_words_that_were_broken_are_whole_again():
    lines = "The com-<br/>mittee wrote a state-of-the-<br/>art report on ma-<br/>chines for the pre-<br/>Roman age."
    text = read("a.pdf", samples.pdf(lines)).text
    assert " ".join(text.split()) == "The committee wrote a state-of-the-art report on machines for the pre-Roman age."


def lines(*rows: tuple[str, float, float], top: float = 700) -> list[Line]:
    """Lines of 12 points, 14 apart, from (text, left edge, right edge)."""
    return [Line(text, left, right, top - 14 * n, top - 14 * n, 12) for n, (text, left, right) in enumerate(rows)]


def test_pdf_paragraphs_that_are_indented_instead_of_spaced():
    page = lines(("One begins", 60, 500), ("and ends.", 50, 120), ("Two begins", 60, 495), ("and ends.", 50, 90))
    assert paragraphs(page) == "One begins and ends.\n\nTwo begins and ends."


def test_pdf_columns_are_not_mixed():
    title = lines(("Title above both columns", 50, 550), top=740)
    page = (
        title
        + lines(*[("left wraps", 50, 290)] * 4, ("left ends.", 50, 120))
        + lines(*[("right wraps", 310, 550)] * 4, ("right ends.", 310, 400))
    )
    left, right = "left wraps " * 4 + "left ends.", "right wraps " * 4 + "right ends."
    assert paragraphs(page) == f"Title above both columns\n\n{left}\n\n{right}"


def test_pdf_chinese_is_joined_without_spaces():
    assert paragraphs(lines(("这是一个用于", 50, 500), ("测试的句子。", 50, 300))) == "这是一个用于测试的句子。"


def test_pdf_bullets_begin_lines():
    page = lines(("• one that is long", 50, 500), ("• two that is long", 50, 500), ("and wraps", 50, 100))
    assert paragraphs(page) == "• one that is long\n• two that is long and wraps"


def test_pdf_hyphens_as_pdfium_marks_them():
    page = lines(("a com\ufffe", 50, 500), ("mon fish of 1914\ufffe18 and semi-auto\ufffematic", 50, 300))
    assert paragraphs(page) == "a common fish of 1914-18 and semi-auto-matic"


def test_pdf_dot_leaders_shrink():
    assert read("a.pdf", samples.pdf("1 Introduction . . . . . . . . . . . . 7")).text == "1 Introduction … 7"


def test_a_pdf_is_known_without_its_extension():
    document = read("-", samples.pdf("From a pipe"))
    assert document.text == "From a pipe"
    assert document.pages == 1


# Office


def test_docx():
    document = read("a.docx", samples.word())
    assert document.text == (
        "Before any heading.\n\nPrices\n\nAn apple is cheap.\n\nFruit | Price\nApple | 3.20\n\n- first\n- second\n\n"
        "Opening hours\n\nDaily from nine."
    )
    assert place(document, "Before") == "beginning"
    assert place(document, "3.20") == place(document, "Prices") == "section Prices"
    assert place(document, "nine") == "section Opening hours"


def test_docx_changes_content_controls_and_text_boxes():
    """What python-docx itself passes over: insertions, content controls; and what was deleted must not come back."""
    source = docx.Document()
    body = source.element.body
    ns = nsdecls("w")
    run = "<w:r><w:t>{}</w:t></w:r>"
    inserted, deleted = f"<w:ins>{run.format('new ')}</w:ins>", "<w:del><w:r><w:delText>old </w:delText></w:r></w:del>"
    deleted += f"<w:moveFrom>{run.format('moved away ')}</w:moveFrom>"
    markup = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    box = f"<w:txbxContent><w:p>{run.format('boxed')}</w:p></w:txbxContent>"
    drawing = f"<mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback></mc:AlternateContent>"
    body.insert(0, parse_xml(f"<w:p {ns}>{run.format('a ')}{inserted}{deleted}{run.format('b')}</w:p>"))
    body.insert(1, parse_xml(f"<w:sdt {ns}><w:sdtContent><w:p>{run.format('controlled')}</w:p></w:sdtContent></w:sdt>"))
    body.insert(2, parse_xml(f"<w:p {ns} {markup}><w:r>{drawing}</w:r></w:p>"))
    file = io.BytesIO()
    source.save(file)
    assert read("a.docx", file.getvalue()).text == "a new b\n\ncontrolled\n\nboxed"


def test_pptx():
    document = read("a.pptx", samples.slides())
    assert document.text == (
        "Lighthouses\n\nThey are tall.\nAnd bright.\n\nNotes: Mention the keeper.\n\n"
        "Tower: Eddystone; Height: 49 m\n\nInside a group"
    )
    assert document.pages == 2
    assert place(document, "keeper") == "slide 1"
    assert place(document, "group") == "slide 2"
    assert [mark.breaks for mark in document.marks] == [True, True]


def test_xlsx():
    document = read("a.xlsx", samples.workbook())
    assert document.text == (
        "Sheet Prices\nFruit list of 2026\nFruit: Apple; Price: 3.2; Since: 2019\nFruit: Pear; Price: 0.3\n"
        "\nSheet Staff\nAnn; 41"
    )
    assert document.pages == 3
    assert place(document, "Sheet Prices") == "sheet Prices"
    assert place(document, "Fruit: Apple") == "sheet Prices, row 4"
    assert place(document, "Ann") == "sheet Staff, row 1"
    assert [mark.label for mark in document.marks if mark.breaks] == ["sheet Prices", "sheet Staff"]


def test_xlsx_shows_values_as_a_person_sees_them():
    book = openpyxl.Workbook()
    book.active.append(["day", "hour", "yes", "count"])
    book.active.append([datetime.date(2026, 3, 4), datetime.datetime(2026, 3, 4, 19, 30), True, 7.0])
    file = io.BytesIO()
    book.save(file)
    assert (
        read("a.xlsx", file.getvalue()).text.split("\n")[1]
        == "day: 2026-03-04; hour: 2026-03-04 19:30:00; yes: TRUE; count: 7"
    )


def test_xlsx_as_excel_itself_writes_it():
    """With all 17 digits of a number, and a wrong size of the sheet, as some programs do."""
    with zipfile.ZipFile(io.BytesIO(samples.workbook())) as source:
        members = {name: source.read(name) for name in source.namelist()}
    sheet = members["xl/worksheets/sheet1.xml"]
    assert b"<v>0.3</v>" in sheet
    sheet = re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', sheet)
    members["xl/worksheets/sheet1.xml"] = sheet.replace(b"<v>0.3</v>", b"<v>0.30000000000000004</v>")
    text = read("a.xlsx", samples.archive(members)).text
    assert "Fruit: Apple; Price: 3.2; Since: 2019\nFruit: Pear; Price: 0.3\n" in text


# Tables


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv(delimiter):
    rows = ['Fruit,"Price, net",Remark', 'Apple,3,"two\nlines"', "", "Pear,,sweet; ripe"]
    text = (
        "\n".join(rows)
        if delimiter == ","
        else "\n".join(rows).replace(", ", "#").replace(",", delimiter).replace("#", ", ")
    )
    if delimiter == ";":
        text = text.replace("sweet; ripe", '"sweet; ripe"')
    document = read("a.csv", text)
    assert document.text == "Fruit: Apple; Price, net: 3; Remark: two lines\nFruit: Pear; Remark: sweet; ripe"
    assert place(document, "Apple") == "row 2"
    assert place(document, "Pear") == "row 4"


def test_tsv():
    assert read("a.tsv", 'a, b\tc\n"x\ty"\tz\n').text == "a, b: x\ty; c: z".replace("\t", " ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2\n3,4\n", "1; 2\n3; 4"),  # no row of names
        ("2019-01-01,12 %\n2019-01-02,13 %\n", "2019-01-01; 12 %\n2019-01-02; 13 %"),
        ("Region,2023,2024\nNorth,1,2\n", "Region: North; 2023: 1; 2024: 2"),  # years name columns
        ("a,b\n", "a; b"),  # names of nothing
        ("just\none\ncolumn\n", "just\none\ncolumn"),
        ("Report\n\nname,age\nAnn,41,extra\n", "Report\nname: Ann; age: 41; extra"),
    ],
)
def test_rows_name_their_values_if_there_are_names(text, expected):
    assert read("a.csv", text).text == expected


def test_a_cell_may_be_as_long_as_a_book():
    assert len(read("a.csv", "name,text\nx," + "y" * 300_000 + "\n").text) > 300_000


# Books and mail


def test_epub():
    document = read("a.epub", samples.epub())
    assert document.text == "Loomings\n\nCall me Ishmael.\n\nNo heading here."
    assert place(document, "Ishmael") == "chapter Loomings"
    assert place(document, "No heading") == "chapter 2"
    assert [mark.breaks for mark in document.marks] == [True, True]


def test_an_epub_reads_a_chapter_once_however_often_it_is_named():
    package = samples.members(samples.epub())["OEBPS/book.opf"].decode()
    again = package.replace("</manifest>", '<item id="c" href="text/../text/a.xhtml"/></manifest>')
    again = again.replace("</spine>", '<itemref idref="a"/><itemref idref="c"/>' * 1000 + "</spine>")
    assert read("a.epub", samples.epub({"OEBPS/book.opf": again})).text == read("a.epub", samples.epub()).text


def test_an_epub_with_a_picture_among_its_chapters():
    document = read("a.epub", samples.epub({"OEBPS/text/b b.xhtml": b"\xff\xd8\xff\xe0\0\0" * 50}))
    assert document.text == "Loomings\n\nCall me Ishmael."
    assert document.notes == ("OEBPS/text/b b.xhtml in it: binary file",)


def test_an_epub_with_scrambled_fonts_is_no_encrypted_book():
    scrambled = '<encryption xmlns:e="x"><e:CipherReference URI="OEBPS/{}"/></encryption>'
    assert read("a.epub", samples.epub({"META-INF/encryption.xml": scrambled.format("font.otf")})).text.startswith(
        "Loom"
    )


MAIL = (
    "From: Ann Ågren <ann@example.org>\nTo: bob@example.org\nDate: Mon, 02 Mar 2026 18:05:00 +0000\nSubject: {}\n\n"
    "Dear Bob,\n\nthe boiler leaks – again.\n\nFrom now on we need a bucket.\n\nAttachments: offer.pdf"
)


def test_eml():
    document = read("a.eml", samples.message().as_bytes())
    assert document.text == MAIL.format("The boiler")
    assert document.locate(0) == "message: The boiler"


def test_eml_with_nothing_but_html():
    data = b"Subject: x\nContent-Type: text/html; charset=iso-8859-1\n\n<h1>H\xe9</h1><p>there</p>"
    assert read("a.eml", data).text == "Subject: x\n\nHé\n\nthere"


def test_mail_in_the_flowed_format_has_paragraphs():
    data = b"Subject: x\nContent-Type: text/plain; format=flowed\n\nThis line \nflows on.\nThis does not.\n"
    assert read("a.eml", data).text == "Subject: x\n\nThis line flows on.\nThis does not."


def test_a_subject_that_fills_a_page_fills_no_citation():
    assert len(read("a.eml", b"Subject: " + b"word " * 150 + b"\n\nbody").locate(0)) == 100


def test_mbox(tmp_path):
    document = read("a.mbox", samples.mbox(tmp_path))
    assert document.text == MAIL.format("First") + "\n\n" + MAIL.format("Zweite Überraschung")
    assert place(document, "First") == "message 1: First"
    assert place(document, "Zweite") == "message 2: Zweite Überraschung"
    assert [mark.breaks for mark in document.marks] == [True, True]


def test_one_bad_message_costs_only_itself():
    bad = b"Subject: bad\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\nAAECAwQF\n"  # no text
    envelope = b"From ann Mon Mar  2 18:05:00 2026\n"
    data = envelope + bad + b"\n" + envelope + b"Subject: good\n\nbody\n\nFrom here on, unescaped.\n"
    document = read("a.mbox", data)
    assert "Subject: bad" in document.text
    assert document.text.endswith("Subject: good\n\nbody\n\nFrom here on, unescaped.")
    assert place(document, "good") == "message 2: good"


# JSON and notebooks


def test_jsonl():
    document = read(
        "a.jsonl", '{"name": "Ann", "tags": ["x", "y"], "at": {"home": true, "age": null}}\n\nnot json\n[1, 2]\n'
    )
    assert document.text == "name: Ann; tags: x, y; at.home: true\nnot json\n1, 2"
    assert place(document, "Ann") == "line 1"
    assert place(document, "not json") == "line 3"


def test_json_records():
    document = read("a.json", '[{"name": "Ann", "pets": [{"cat": "Tom"}, {"cat": "Kit"}]}, {"name": "Bob"}]')
    assert document.text == "name: Ann; pets.1.cat: Tom; pets.2.cat: Kit\nname: Bob"
    assert place(document, "Bob") == "record 2"


def test_json_that_was_written_for_people_keeps_its_lines():
    text = '{\n  "opening": "nine"\n}\n'
    document = read("a.json", text)
    assert document.text == text
    assert place(document, "nine") == "line 2"


def test_json_in_one_long_line_is_laid_out():
    document = read("a.json", json.dumps({"city": {"name": "Rome"}, "list": ["x" * 50] * 40}))
    assert document.text.startswith("city.name: Rome\nlist: xxx")
    assert place(document, "Rome") == "key city"


@pytest.mark.parametrize(
    "text", ['{"a": 1, // why\n}', '{"cut": "off', "[" * 100_000, "1" * 10_000, "[[" * 50_000 + "]]" * 50_000]
)
def test_json_that_does_not_parse_is_read_as_text(text):
    document = read("a.json", text)
    assert document.text == text
    assert document.locate(0) == "line 1"


def test_notebook():
    document = read("a.ipynb", samples.notebook())
    assert document.text == "# Boats\nThey float.\n\nif True:\n    print(1)\n\ntwo\nlines\n\n42\n\nValueError: no boat"
    assert place(document, "float") == "cell 1"
    assert place(document, "no boat") == "cell 2"


def test_surrogates_in_escapes_are_replaced():
    assert read("a.jsonl", r'{"a": "x\ud800y"}').text == "a: x\ufffdy"


# All


def test_reading_needs_no_tensors():
    code = """
import sys, infinidoc.documents.discovery, infinidoc.documents.segmentation
from infinidoc.documents.formats import read_document
read_document("a.txt", b"x")
print(sorted({"torch", "transformers", "docx", "pptx", "openpyxl", "pypdfium2", "selectolax"} & set(sys.modules)))
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
