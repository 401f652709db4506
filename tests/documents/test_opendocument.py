"""OpenDocument files are read as LibreOffice shows them."""
# ruff: noqa: E501 (markup is read more easily in one line)

import pytest

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import read_document
from tests.documents.samples import flat_opendocument, odp, ods, odt, opendocument, sheet

NUMBERED = """<text:list-style style:name="L">
    <text:list-level-style-number text:level="1" style:num-format="1" style:num-suffix="."/>
    <text:list-level-style-number text:level="2" style:num-format="a" style:num-suffix=")" text:display-levels="2"/>
    </text:list-style><text:list-style style:name="B"><text:list-level-style-bullet text:level="1"/></text:list-style>"""


def text(body: str, automatic: str = "", styles: str = "") -> str:
    return read_document("a.odt", opendocument("text", body, automatic, styles)).text


def workbook(body: str, automatic: str = "") -> Document:
    return read_document("a.ods", opendocument("spreadsheet", body, automatic))


def items(*texts: str, attributes: str = 'text:style-name="L"') -> str:
    inner = "".join(f"<text:list-item><text:p>{item}</text:p></text:list-item>" for item in texts)
    return f"<text:list {attributes}>{inner}</text:list>"


# Texts


def test_headings_begin_sections():
    document = read_document(
        "a.odt", opendocument("text", "<text:p>Before.</text:p><text:h>Keys</text:h><text:p>x</text:p>")
    )
    assert document.text == "Before.\n\nKeys\n\nx"
    assert [(mark.start, mark.label) for mark in document.marks] == [(0, "beginning"), (9, "section Keys")]


def test_headings_are_numbered_as_the_outline_says():
    outline = """<text:outline-style><text:outline-level-style text:level="1" style:num-format="1"/>
        <text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/></text:outline-style>"""
    body = "".join(
        f'<text:h text:outline-level="{n}">{name}</text:h>' for n, name in [(1, "A"), (2, "B"), (1, "C"), (2, "D")]
    )
    assert text(body, styles=outline) == "1 A\n\n1.1 B\n\n2 C\n\n2.1 D"


def test_spaces_tabs_and_breaks():
    body = '<text:p>  a\n   b<text:s text:c="3"/>c<text:tab/>d<text:line-break/><text:span>e<text:a>f</text:a></text:span> </text:p>'
    assert text(body) == "a b   c\td\nef"


def test_lists_count_and_are_nested():
    nested = f"<text:list-item><text:p>two</text:p>{items('x', 'y', attributes='')}</text:list-item>"
    body = items("one").replace("</text:list>", f"{nested}</text:list>") + items(
        "dot", attributes='text:style-name="B"'
    )
    assert text(body, NUMBERED) == "1. one\n2. two\n2.a) x\n2.b) y\n- dot"


@pytest.mark.parametrize(
    ("attributes", "number"),
    [
        ('text:style-name="L"', 1),
        ('text:style-name="L" text:continue-numbering="true"', 3),
        ('text:style-name="L" text:continue-list="first"', 3),
    ],
)
def test_lists_begin_anew_unless_they_go_on(attributes, number):
    first = items("one", "two", attributes='text:style-name="L" xml:id="first"')
    body = f"{first}<text:p>between</text:p>{items('next', attributes=attributes)}"
    assert text(body, NUMBERED).endswith(f"between\n\n{number}. next")


def test_an_item_may_state_its_number():
    assert text(items("x").replace("<text:list-item>", '<text:list-item text:start-value="7">'), NUMBERED) == "7. x"


def test_notes_and_comments_follow_their_paragraph():
    note = """<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>not {Sundays}</text:p></text:note-body></text:note>"""
    comment = "<office:annotation><dc:creator>Ann {B}</dc:creator><dc:date>2026</dc:date><text:p>why?</text:p></office:annotation>"
    body = f"<text:p>Open daily{note}{comment}.</text:p><text:p>x</text:p>"
    assert text(body) == "Open daily[1].\n\n[1] not {Sundays}\n\n[Comment by Ann {B}: why?]\n\nx"


def test_what_was_deleted_or_hidden_is_not_the_documents():
    body = """<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion></text:changed-region>
        </text:tracked-changes><text:p>seen<text:change/><text:span text:style-name="H"> hidden</text:span>
        <text:hidden-text text:is-hidden="true">too</text:hidden-text></text:p><text:section text:display="none"><text:p>no</text:p></text:section>
        <text:section><text:p>yes</text:p></text:section>"""
    hidden = (
        '<style:style style:name="H" style:family="text"><style:text-properties text:display="none"/></style:style>'
    )
    assert text(body, hidden) == "seen\n\nyes"


def test_headers_come_first_and_footers_last_each_once():
    page = "<style:master-page><style:header><text:p>Ref HX</text:p></style:header><style:footer><text:p>{}</text:p></style:footer></style:master-page>"
    assert (
        text("<text:p>x</text:p>", styles=page.format("Ferry Lane") + page.format("7")) == "Ref HX\n\nx\n\nFerry Lane"
    )


def test_rows_of_a_table_know_their_columns_far_down():
    rows = [["Plot", "Rent"], *([str(n), str(n + 30)] for n in range(1, 60))]
    assert text(sheet("T", *rows)).split("\n")[46] == "Plot: 47; Rent: 77"
    words = [["Key", "Where"], ["red", "hook"], ["blue", "nail"]]
    assert text(sheet("T", *words)) == "Key | Where\nred | hook\nblue | nail"
    head = sheet("T", *words).replace("<table:table-row>", "<table:table-header-rows><table:table-row>", 1)
    assert text(head.replace("</table:table-row>", "</table:table-row></table:table-header-rows>", 1)) == (
        "Key: red; Where: hook\nKey: blue; Where: nail"
    )


def test_tables_that_arrange_the_page_stay_text():
    inner = sheet("T", ["Plot", "Rent"], ["1", "38"])
    cell = f"<table:table-cell><text:h>Plots</text:h>{inner}</table:table-cell>"
    assert text(sheet("L", ["menu", cell])) == "menu\n\nPlots\n\nPlot: 1; Rent: 38"


def test_text_boxes_and_fields_of_forms():
    box = "<draw:frame><draw:text-box><text:p>Aside</text:p></draw:text-box></draw:frame>"
    form = """<office:forms><form:form><form:text form:id="a" form:current-value="Ann"/><form:checkbox form:id="b"
        form:label="paid" form:current-state="checked"/><form:listbox form:id="c"><form:option form:label="red"/>
        <form:option form:label="blue" form:current-selected="true"/></form:listbox><form:password form:id="d"
        form:current-value="secret"/></form:form></office:forms>"""
    controls = " ".join(f'<draw:control draw:control="{name}"/>' for name in "abcd")
    assert text(f"{form}<text:p>Name: {controls}{box}</text:p>") == "Name: Ann ☒ paid blue\n\nAside"


def test_charts_give_their_titles_and_values():
    table = sheet("local-table", ["", "Jars"], ["May", "4"], ["June", "9"])
    rows = table.replace("<table:table-row>", "<table:table-header-rows><table:table-row>", 1).replace(
        "</table:table-row>", "</table:table-row></table:table-header-rows>", 1
    )
    content = flat_opendocument(
        "text", f"<chart:chart><chart:title><text:p>Sold</text:p></chart:title>{rows}</chart:chart>"
    )
    frame = '<text:p>See.<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame></text:p>'
    data = opendocument("text", frame, extra={"Object 1/content.xml": content})
    assert read_document("a.odt", data).text == "See.\n\nSold\nMay; Jars: 4\nJune; Jars: 9"


# Spreadsheets


def test_cells_are_given_as_they_are_displayed():
    date = '<table:table-cell office:value-type="date" office:date-value="2026-05-11"><text:p>11 May 2026</text:p></table:table-cell>'
    money = '<table:table-cell office:value-type="currency" office:value="12.5" office:currency="EUR"><text:p>12,50 €</text:p></table:table-cell>'
    document = workbook(sheet("Bills", ["Day", "Sum"], [date, money]))
    assert document.text == "Sheet Bills\nDay: 11 May 2026; Sum: 12,50 €"
    assert document.marks[-1].label == "sheet Bills, row 2"
    assert document.pages == 1


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ('office:value-type="date" office:date-value="2026-05-11"', "2026-05-11"),
        ('office:value-type="currency" office:value="12.5" office:currency="EUR"', "12.5 EUR"),
        ('office:value-type="percentage" office:value="0.075"', "7.5%"),
        ('office:value-type="boolean" office:boolean-value="true"', "TRUE"),
        ('table:formula="of:=SUM([.A1:.A2])"', "=SUM([.A1:.A2]) (no result stored)"),
    ],
)
def test_cells_without_text_give_their_value(attributes, shown):
    assert workbook(sheet("S", [f"<table:table-cell {attributes}/>", "x"])).text == f"Sheet S\n{shown}; x"


def test_repeated_rows_and_cells():
    twice = '<table:table-cell table:number-columns-repeated="2"><text:p>a</text:p></table:table-cell>'
    end = '<table:table-cell table:number-columns-repeated="16380"/>'
    gap = f'<table:table-row table:number-rows-repeated="1048000">{end}</table:table-row>'
    body = sheet("S", [twice, "b", end]).replace(
        "<table:table-row>", '<table:table-row table:number-rows-repeated="3">'
    )
    document = workbook(
        body.replace("</table:table>", f"{gap}<table:table-row>{twice}</table:table-row></table:table>")
    )
    assert document.text == "Sheet S\na; a; b\na; a; b\na; a; b\na; a"
    assert document.marks[-1].label == "sheet S, row 1048004"


def test_repetitions_are_bounded():
    cell = (
        f'<table:table-cell table:number-columns-repeated="999999999"><text:p>{"x" * 1000}</text:p></table:table-cell>'
    )
    body = sheet("S", [cell]).replace("<table:table-row>", '<table:table-row table:number-rows-repeated="999999999">')
    with pytest.raises(Unreadable, match=r"^more than \d+ million characters"):
        workbook(body)


def test_merged_cells():
    merged = '<table:table-cell table:number-columns-spanned="2"><text:p>2025</text:p></table:table-cell><table:covered-table-cell/>'
    down = '<table:table-cell table:number-rows-spanned="2"><text:p>Mon</text:p></table:table-cell>'
    head = sheet(
        "S", ["Day", merged], ["", "Rent", "Water"], [down, "38", "3"], ["<table:covered-table-cell/>", "40", "5"]
    )
    assert (
        workbook(head).text == "Sheet S\nDay: Mon; 2025 Rent: 38; 2025 Water: 3\nDay: Mon; 2025 Rent: 40; 2025 Water: 5"
    )


def test_hidden_sheets_rows_and_columns_are_left_out_and_said():
    hide = (
        '<style:style style:name="h" style:family="table"><style:table-properties table:display="false"/></style:style>'
    )
    secret = sheet("Secret", ["x"]).replace("<table:table ", '<table:table table:style-name="h" ')
    body = sheet("S", ["a", "b", "c"], ["d", "e", "f"]).replace(
        "<table:table-row>",
        '<table:table-column/><table:table-column table:visibility="collapse"/><table:table-row table:visibility="filter">',
        1,
    )
    document = workbook(body + secret, hide)
    assert document.text == "Sheet S\nd; f"
    assert document.notes == ("1 row of sheet S hidden, and left out", "sheet Secret is hidden, and left out")


def test_comments_follow_the_row_of_their_cell():
    cell = "<table:table-cell><office:annotation><dc:creator>Ann</dc:creator><text:p>check</text:p></office:annotation><text:p>2</text:p></table:table-cell>"
    rows = [["a", "1"], ["b", cell], ["c", "3"]]
    assert workbook(sheet("S", *rows)).text == "Sheet S\na; 1\nb; 2\n[Comment by Ann: check]\nc; 3"


# Presentations


def test_slides_are_read_from_the_title_down_with_notes():
    document = read_document("a.odp", odp())
    assert document.text == "Lighthouses\n\nThey are tall.\n\nNotes: Mention the keeper."
    assert [mark.label for mark in document.marks] == ["slide 1"]
    assert document.pages == 1


def test_hidden_slides_are_left_out_and_said():
    hide = '<style:style style:name="h" style:family="drawing-page"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
    shape = "<draw:custom-shape><text:p>{}</text:p></draw:custom-shape>"
    body = (
        f'<draw:page draw:style-name="h">{shape.format("no")}</draw:page><draw:page>{shape.format("yes")}</draw:page>'
    )
    document = read_document("a.odp", opendocument("presentation", body, hide))
    assert (document.text, document.notes, document.pages) == ("yes", ("slide 1 is hidden, and left out",), 2)


# Files


@pytest.mark.parametrize(
    ("name", "data", "format"),
    [
        ("a.zip", odt(), "odt"),
        ("a.doc", ods(), "ods"),
        ("a", odp(), "odp"),
        ("a.xml", flat_opendocument("text", "<text:p>x</text:p>"), "fodt"),
        ("a.fods", flat_opendocument("spreadsheet", sheet("S", ["x"])), "fods"),
    ],
)
def test_the_content_says_which_kind_it_is(name, data, format):
    assert read_document(name, data).format == format


def test_drawings_are_pages():
    assert (
        read_document(
            "a.odg", opendocument("drawing", "<draw:page><draw:rect><text:p>x</text:p></draw:rect></draw:page>")
        ).locate(0)
        == "page 1"
    )


def test_what_is_encrypted_says_so():
    locked = '<manifest xmlns="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><file-entry><encryption-data/></file-entry></manifest>'
    data = opendocument("text", "", extra={"META-INF/manifest.xml": locked, "content.xml": b"\1\2\3"})
    with pytest.raises(Unreadable, match=r"^encrypted$"):
        read_document("a.odt", data)


def test_an_object_that_is_not_there():
    frame = '<text:p>See.<draw:frame><draw:object xlink:href="../../etc/passwd"/></draw:frame></text:p>'
    assert text(frame) == "See."
