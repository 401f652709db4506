"""What a person sees in an Excel workbook, cell by cell, is in its text; what is hidden is not."""

import io

import openpyxl
import pytest
from openpyxl.comments import Comment

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import read_document
from infinidoc.documents.formats.ooxml.numberformat import number_as_shown, text_as_shown
from tests.documents import samples

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def saved(book: openpyxl.Workbook) -> dict[str, bytes]:
    file = io.BytesIO()
    book.save(file)
    return samples.members(file.getvalue())


def sheet(*rows: list[object]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    return book


def read(book: openpyxl.Workbook | dict[str, bytes]) -> Document:
    return read_document("a.xlsx", samples.archive(saved(book) if isinstance(book, openpyxl.Workbook) else book))


def lines(book: openpyxl.Workbook | dict[str, bytes]) -> list[str]:
    heading, *rows = read(book).text.split("\n")
    assert heading.startswith("Sheet ")
    return rows


def with_cells(cells: str, more: str = "") -> dict[str, bytes]:
    """A workbook whose only sheet has these rows, as XML."""
    part = f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData>{more}</worksheet>'
    return saved(openpyxl.Workbook()) | {"xl/worksheets/sheet1.xml": part.encode()}


# Values


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        ("7.499999", "0.0", "7.5"),
        ("7.4999999999999996", "General", "7.5"),
        ("0.125", "0.00%", "12.50%"),
        ("1234.5", '"€"#,##0', "€1,235"),
        ("1234.5", '_-[$£-809]* #,##0.00_-;-[$£-809]* #,##0.00_-;_-[$£-809]* "-"??_-;_-@_-', "£1,234.50"),
        ("-1234.5", "#,##0.00;[Red]-#,##0.00", "-1,234.50"),
        ("-5", "0;(0)", "(5)"),
        ("0", '0;-0;"none"', "none"),
        ("5", ";;;", ""),
        ("1.5", "[h]:mm", "36:00"),
        ("46085", "yyyy-mm-dd", "2026-03-04"),
        ("46085.8125", "dd/mm/yyyy hh:mm", "04/03/2026 19:30"),
        ("46085", '[$-409]d" of "mmmm yyyy', "4 of March 2026"),
        ("46085", "dddd", "Wednesday"),
        ("0.5625", "h:mm AM/PM", "1:30 PM"),
        ("0.0625", "mm:ss.0", "30:00.0"),
        ("59", "yyyy-mm-dd", "1900-02-28"),
        ("61", "yyyy-mm-dd", "1900-03-01"),
        ("3.25", "# ?/?", "3 1/4"),
        ("5551234567", "(000) 000-0000", "(555) 123-4567"),
        ("42", "00000", "00042"),
        ("12345", "0.00E+00", "1.23E+04"),
        ("1500000", '0.0,,"M"', "1.5M"),
        ("2000", '[>=1000]0.0,"k";0', "2.0k"),
        ("7", '0" kg"', "7 kg"),
        ("100", "#,##0.00 €", "100.00 €"),
        ("123456789012", "General", "123456789012"),
        ("0.00001234567", "General", "1.23457E-05"),
        ("no number", "0.00", "no number"),
    ],
)
def test_numbers_are_shown_by_their_format(value, code, shown):
    assert number_as_shown(value, code) == shown


def test_texts_are_shown_by_their_format():
    assert text_as_shown("x", "General") == "x"
    assert text_as_shown("x", '0;0;0;"<"@">"') == "<x>"
    assert text_as_shown("x", ";;;") == ""


def test_formats_of_cells_are_looked_up():
    book = sheet(["Part", "Share", "Price"], ["roof", 0.375, 1234.5])
    book.active["B2"].number_format = "0.0%"
    book.active["C2"].number_format = '"£"#,##0.00'
    assert lines(book) == ["Part: roof; Share: 37.5%; Price: £1,234.50"]


@pytest.mark.parametrize(
    ("number", "shown"), [(14, "2026-03-04"), (31, "2026-03-04"), (10, "4608500.00%"), (44, "46,085.00")]
)
def test_formats_that_are_known_by_number(number, shown):
    members = saved(sheet([46085]))
    styles = f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="{number}"/></cellXfs></styleSheet>'
    assert lines(members | {"xl/styles.xml": styles.encode()}) == [shown]


def test_days_may_be_counted_from_1904():
    book = sheet(["Day", "Work"], [0, "start"])
    book.active["A2"].number_format = "d mmm yyyy"
    members = saved(book)
    members["xl/workbook.xml"] = members["xl/workbook.xml"].replace(b"<workbookPr/>", b'<workbookPr date1904="1"/>')
    assert lines(members) == ["Day: 1 Jan 1904; Work: start"]


def test_formulas_without_a_result_say_so():
    cells = (
        '<row r="1"><c r="A1" t="str"><v>Item</v></c><c r="B1" t="str"><v>Pounds</v></c></row>'
        '<row r="2"><c r="A2" t="str"><v>Tape</v></c><c r="B2"><v>9</v></c></row>'
        '<row r="3"><c r="A3" t="str"><v>Total</v></c><c r="B3"><f>SUM(B2:B2)</f><v></v></c></row>'
        '<row r="4"><c r="A4" t="str"><v>Net</v></c><c r="B4"><f>B3*2</f><v>18</v></c></row>'
        '<row r="5"><c r="A5" t="str"><v>Rest</v></c><c r="B5"><f t="shared" si="0"/></c></row>'
        '<row r="6"><c r="A6" t="str"><v>Note</v></c><c r="B6" t="str"><f>""</f><v></v></c></row>'
        '<row r="7"><c r="A7" t="str"><v>Share</v></c><c r="B7" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>'
    )
    assert lines(with_cells(cells)) == [
        "Item: Tape; Pounds: 9",
        "Item: Total; Pounds: =SUM(B2:B2) (no result stored)",
        "Item: Net; Pounds: 18",
        "Item: Rest; Pounds: =… (no result stored)",
        "Item: Note",
        "Item: Share; Pounds: #DIV/0!",
    ]


def test_texts_of_many_kinds():
    strings = (
        f'<sst xmlns="{MAIN}"><si><r><t>two </t></r><r><t>runs</t></r></si>'
        "<si><t>東京</t><rPh sb='0' eb='2'><t>トウキョウ</t></rPh></si><si><t>a_x000D_\nb</t></si></sst>"
    )
    cells = (
        '<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c><c t="s"><v>2</v></c></row>'
        '<row><c t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r><rPh><t>no</t></rPh></is></c><c t="b"><v>1</v></c>'
        '<c t="d"><v>2026-03-04</v></c></row>'
    )
    members = with_cells(cells) | {"xl/sharedStrings.xml": strings.encode()}
    members["xl/_rels/workbook.xml.rels"] = members["xl/_rels/workbook.xml.rels"].replace(
        b"</Relationships>",
        b'<Relationship Id="x" Target="/xl/sharedStrings.xml" Type="http://schemas.openxmlformats.org/officeDocument/2006'
        b'/relationships/sharedStrings"/></Relationships>',
    )
    assert lines(members) == ["two runs: inline; 東京: TRUE; a b: 2026-03-04"]


# Looks


@pytest.mark.parametrize(
    "flaw",
    [
        lambda styles: styles.replace(b"<fill>", b"<fill/><fill>", 1).replace(
            b'<patternFill patternType="gray125"', b"<bogus", 1
        ),
        lambda styles: styles[: len(styles) // 2],
        lambda styles: b"",
        lambda styles: styles.replace(b"numFmtId", b"numFmtIdd"),
    ],
)
def test_flaws_of_the_styles_do_not_matter(flaw):
    members = saved(sheet(["Room", "Litres"], ["A", 4], ["B", 7.5]))
    members["xl/styles.xml"] = flaw(members["xl/styles.xml"])
    document = read(members)
    assert document.text == "Sheet Sheet\nRoom: A; Litres: 4\nRoom: B; Litres: 7.5"
    assert document.locate(document.text.index("7.5")) == "sheet Sheet, row 3"


def test_strict_workbooks_are_read_alike():
    members = saved(sheet(["Room", "Litres"], ["B", 7.5]))
    strict = {
        name: content.replace(MAIN.encode(), b"http://purl.oclc.org/ooxml/spreadsheetml/main").replace(
            b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
            b"http://purl.oclc.org/ooxml/officeDocument/relationships",
        )
        for name, content in members.items()
    }
    assert lines(strict) == ["Room: B; Litres: 7.5"]


# Sheets


def test_what_is_hidden_is_left_out():
    book = sheet(["Name", "Secret", "Pay"], ["Ann", "x", 1], ["Bob", "y", 2], ["Cid", "z", 3])
    book.active.row_dimensions[3].hidden = True
    book.active.column_dimensions["B"].hidden = True
    book.create_sheet("Old").append(["old"])
    book["Old"].sheet_state = "hidden"
    document = read(book)
    assert document.text == "Sheet Sheet\nName: Ann; Pay: 1\nName: Cid; Pay: 3"
    assert document.pages == 1
    assert document.notes == ("1 row of sheet Sheet hidden, and left out", "sheet Old is hidden, and left out")
    assert document.locate(document.text.index("Cid")) == "sheet Sheet, row 4"


def test_merged_names_and_values():
    book = sheet(
        ["Rents of the plots", None, None, None],
        ["Plot", "2025", None, "Side"],
        [None, "Rent", "Water", None],
        [1, 38, 3, "north"],
        [2, 39, 4, None],
    )
    for cells in ("A1:D1", "A2:A3", "B2:C2", "D2:D3", "D4:D5"):
        book.active.merge_cells(cells)
    assert lines(book) == [
        "Rents of the plots",
        "Plot: 1; 2025 Rent: 38; 2025 Water: 3; Side: north",
        "Plot: 2; 2025 Rent: 39; 2025 Water: 4; Side: north",
    ]


def test_several_tables_on_a_sheet():
    book = sheet(["Fruit", "Price"], ["Apple", 3], [], ["Tool", "Cost", "Since"], ["Saw", 12, 2001])
    document = read(book)
    assert document.text.split("\n")[1:] == ["Fruit: Apple; Price: 3", "Tool: Saw; Cost: 12; Since: 2001"]
    assert document.locate(document.text.index("Saw")) == "sheet Sheet, row 5"


def test_a_far_row_has_its_number():
    book = sheet(["Fruit", "Price"], ["Apple", 3])
    book.active["A5000"], book.active["B5000"] = "Pear", 4
    document = read(book)
    assert document.text.endswith("Fruit: Pear; Price: 4")
    assert document.locate(len(document.text) - 1) == "sheet Sheet, row 5000"


def test_comments_stand_by_their_row():
    book = sheet(["Fruit", "Price"], ["Apple", 3], ["Pear", 4])
    book.active["B2"].comment = Comment("per\nkilo", "Ann")
    assert lines(book) == ["Fruit: Apple; Price: 3", "[Comment on B2 by Ann: per kilo]", "Fruit: Pear; Price: 4"]


# Bounds


def test_shared_texts_can_not_be_repeated_without_end():
    cells = '<row><c t="s"><v>0</v></c></row>' * 100
    members = with_cells(cells)
    members["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}"><si><t>{"x" * 1_000_000}</t></si></sst>'.encode()
    members["xl/_rels/workbook.xml.rels"] = members["xl/_rels/workbook.xml.rels"].replace(
        b"</Relationships>",
        b'<Relationship Id="x" Target="sharedStrings.xml" Type="x/sharedStrings"/></Relationships>',
    )
    with pytest.raises(Unreadable, match=r"^more than \d+ million characters"):
        read(members)


def test_a_merged_cell_over_all_the_sheet():
    cells = "".join(f'<row><c t="str"><v>{n}</v></c></row>' for n in range(3))
    members = with_cells(cells, '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>')
    assert lines(members)[0] == "0"
