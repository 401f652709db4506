"""PDF: which pages have no text; forms, remarks, outlines and the rest of what a viewer shows."""

import contextlib
import io
from collections.abc import Callable, Sequence

import pypdfium2
import pytest
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import ocr, read_document
from infinidoc.documents.formats.pdf import page_number
from tests.documents.growth import assert_linear

OCR = "pip install 'infinidoc[ocr]' reads them"


@pytest.fixture(autouse=True)
def without_ocr(monkeypatch):
    monkeypatch.setattr(ocr, "is_installed", lambda: False)


def read(draw: Callable[[Canvas], None], **options: object) -> Document:
    return read_document("a.pdf", drawn(draw, **options))


def drawn(draw: Callable[[Canvas], None], **options: object) -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A4, **options)
    draw(canvas)
    canvas.showPage()
    canvas.save()
    return file.getvalue()


def page(canvas: Canvas, *lines: str, picture: tuple[float, float, float, float] | None = None) -> None:
    """A page of its own; `picture` is left, bottom, width and height, in points."""
    if picture:
        canvas.drawImage(ImageReader(Image.new("RGB", (40, 40), "white")), *picture)
    for number, line in enumerate(lines):
        canvas.drawString(72, 760 - 14 * number, line)
    canvas.showPage()


SCAN = (60, 300, 450, 150)  # a tenth of the page, as some scanners leave it
FULL = (0, 0, *A4)


# Pages without text


def test_pages_that_are_pictures_are_noted():
    def draw(canvas):
        page(canvas, "Minutes of the allotment society. The signed leases follow.")
        page(canvas, picture=SCAN)
        page(canvas, picture=FULL)
        canvas.drawString(72, 760, "The meeting closed at nine.")

    document = read(draw)
    assert document.notes == (f"no text on 2 of 4 pages (2-3): pictures, such as scans; {OCR}",)
    assert document.text.endswith("The meeting closed at nine.")
    assert document.pages == 4


@pytest.mark.parametrize("stamp", ["Scanned with PaperSnap", "Page {} of 3, scanned 2026-03-0{}"])
def test_pictures_under_a_stamp_are_noted(stamp):
    def draw(canvas):
        for number in (1, 2):
            page(canvas, stamp.format(number, number), picture=SCAN)
        canvas.drawString(72, 760, stamp.format(3, 3))
        canvas.drawImage(ImageReader(Image.new("RGB", (9, 9))), *SCAN)

    note = f"hardly any text on 3 of 3 pages (1-3): pictures, such as scans under a stamp; {OCR}"
    assert read(draw).notes == (note,)


def test_a_single_stamped_page_is_noted():
    def draw(canvas):
        page(canvas, "Scanned with PaperSnap", picture=FULL)
        canvas.drawString(72, 760, "A page.")

    assert read(draw).notes[0].startswith("hardly any text on 1 of 2 pages (1):")


def test_pages_with_text_and_empty_ones_are_not_noted():
    def draw(canvas):
        page(canvas, "A letter with a small picture above it", "and two lines.", picture=(72, 780, 60, 40))
        page(canvas)
        page(canvas, *["Text that a program found in the scan, behind its picture."] * 9, picture=FULL)
        canvas.drawString(72, 760, "End.")

        for amount in (1, 2, 3):
            page(canvas, f"Invoice {amount}", f"Total {amount} pounds", picture=(72, 780, 60, 40))

    assert read(draw).notes == ()


def test_nothing_but_pictures_is_skipped():
    with pytest.raises(Unreadable, match=r"^no text in it: scans\? pip install"):
        read(lambda canvas: page(canvas, picture=FULL))


def test_many_pages_are_numbered_shortly():
    def draw(canvas):
        for number in range(60):
            page(canvas, *["text"] * (number % 2), picture=None if number % 2 else FULL)

    (note,) = read(draw).notes
    assert note.startswith("no text on 30 of 61 pages (1, 3, 5, 7,")
    assert ", …)" in note
    assert len(note) < 200


# Forms and remarks


def test_forms_are_read_as_they_were_filled_in():
    def draw(canvas):
        form = canvas.acroForm
        canvas.drawString(72, 760, "Registration")
        for y, label, value in [(720, "Name:", "Tilda Marsh"), (690, "Allergy:", "hazelnuts"), (660, "Phone:", "")]:
            canvas.drawString(72, y, label)
            form.textfield(name=f"f{y}", x=200, y=y - 8, width=200, height=20, value=value)
        canvas.drawString(72, 640, "Bring a helmet.")
        for x, label, checked in [(72, "may swim", True), (172, "may climb", False)]:
            form.checkbox(name=label, x=x, y=606, size=14, checked=checked)
            canvas.drawString(x + 20, 608, label)
        for x, value in [(72, "morning"), (172, "afternoon")]:
            form.radio(name="half", value=value, selected=value == "afternoon", x=x, y=576, size=14)
            canvas.drawString(x + 20, 578, value)
        canvas.drawString(72, 540, "Group:")
        form.choice(name="group", x=200, y=532, width=100, height=20, value="Otters", options=["Otters", "Badgers"])
        canvas.drawString(72, 510, "Date:")
        form.textfield(name="d", x=110, y=502, width=80, height=20, value="3 May")
        canvas.drawString(220, 510, "Place:")
        form.textfield(name="p", x=260, y=502, width=80, height=20, value="Ferry Lane")
        canvas.drawString(72, 470, "Remarks:")
        form.textfield(
            name="r", x=72, y=400, width=300, height=60, value="Goes home alone.\nHas a pass.", fieldFlags="multiline"
        )
        canvas.drawString(72, 380, "Signed by the parents.")
        form.textfield(name="s", x=72, y=300, width=99, height=20, value="s3cret", fieldFlags="password")
        form.textfield(name="h", x=72, y=300, width=99, height=20, value="unseen", annotationFlags="hidden")

    lines = [line for line in read(draw).text.split("\n") if line]
    assert lines == [
        "Registration",
        "Name: Tilda Marsh",
        "Allergy: hazelnuts",
        "Phone:",
        "Bring a helmet.",
        "[x] may swim [ ] may climb",
        "[ ] morning [x] afternoon",
        "Group: Otters",
        "Date: 3 May Place: Ferry Lane",
        "Remarks:",
        "Goes home alone.",
        "Has a pass.",
        "Signed by the parents.",
    ]


def test_text_written_over_a_page_and_comments_on_it():
    def draw(canvas):
        canvas.drawString(72, 760, "The rent is due on the first.")
        canvas.freeTextAnnotation("PAID 3 May", "0 g /Helv 12 Tf", Rect=[300, 755, 400, 775])
        canvas.textAnnotation("Ask Bob about this.", Rect=[300, 700, 320, 720])
        page(canvas)

    document = read(draw)
    assert document.text == "The rent is due on the first. PAID 3 May\n\nComment: Ask Bob about this."


# Around the pages


def test_page_labels_and_outlines_and_attachments():
    def draw(canvas):
        canvas.addPageLabel(0, "ROMAN_LOWER", 1)
        canvas.addPageLabel(2, "ARABIC", 1)
        for number, text in enumerate(["Preface", "Thanks", "Chapter one. Heating"]):
            canvas.bookmarkPage(f"p{number}")
            canvas.addOutlineEntry(["Preface", "Thanks to all", "Heating"][number], f"p{number}", 0)
            page(canvas, text)

    file = pypdfium2.PdfDocument(drawn(draw))
    file.new_attachment("prices.csv").set_data(b"a,b\n")
    saved = io.BytesIO()
    file.save(saved)
    file.close()
    document = read_document("a.pdf", saved.getvalue())
    assert document.text == "Preface\n\nThanks to all\n\nThanks\n\nChapter one. Heating\n\nAttachments: prices.csv"
    assert [mark.label for mark in document.marks[:3]] == ["page i (1 of 4)", "page ii (2 of 4)", "page 1 (3 of 4)"]
    assert [page_number(mark.label) for mark in document.marks[:3]] == [1, 2, 3]
    assert page_number("page 12") == 12
    assert page_number("page iv (4 o") is None  # cut off


def test_an_empty_password_opens():
    locked = StandardEncryption("", ownerPassword="owner", canPrint=0, canCopy=0, strength=128)
    assert read(lambda canvas: canvas.drawString(72, 700, "Open to all."), encrypt=locked).text == "Open to all."


# Lines


def turned(canvas: Canvas, angle: float, x: float, y: float, *lines: str) -> None:
    canvas.saveState()
    canvas.translate(x, y)
    canvas.rotate(angle)
    for number, line in enumerate(lines):
        canvas.drawString(0, -14 * number, line)
    canvas.restoreState()


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_lines_that_are_turned_are_paragraphs_too(angle):
    def draw(canvas):
        canvas.drawString(72, 760, "Upright heading")
        turned(canvas, angle, 300, 400, "Sideways the first line of text", "and the second line of it.")

    assert read(draw).text == "Upright heading\n\nSideways the first line of text and the second line of it."


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_pages_that_are_turned_read_as_usual(angle):
    def draw(canvas):
        canvas.setPageRotation(angle)
        turned(canvas, angle, 300, 400, "The first line of a page that is turned", "and the second line of it.")

    assert read(draw).text == "The first line of a page that is turned and the second line of it."


def test_columns_stay_columns():
    left, right = (
        [f"left line {n} of the column" for n in range(9)],
        [f"right line {n} of the column" for n in range(9)],
    )

    def draw(canvas):
        for x, column in [(72, left), (320, right)]:
            for number, line in enumerate(column):
                canvas.drawString(x, 700 - 14 * number, line)

    text = " ".join(read(draw).text.split())
    assert text == " ".join([*left, *right])


def test_what_lies_off_the_page_is_not_shown():
    def draw(canvas):
        canvas.drawString(72, 700, "On the page")
        for x, y in [(72, 2000), (72, -40), (900, 500), (-500, 500)]:
            canvas.drawString(x, y, "unseen")

    assert read(draw).text == "On the page"


def test_ranges_go_over_a_lines_end():
    text = read(lambda canvas: page(canvas, "It was kept in the years 2019-", "20 and after."))
    assert " ".join(text.text.split()) == "It was kept in the years 2019-20 and after."


def test_letters_drawn_twice_are_bold_not_double():
    def draw(canvas):
        for shift in (0, 0.3):
            canvas.drawString(72 + shift, 700, "Important notice")

    assert read(draw).text == "Important notice"


@pytest.mark.parametrize(
    ("before", "part", "after"),
    [("", " ", "x"), ("x", " ", "y"), ("", ".", ""), ("", ". ", ""), ("", " .", ""), ("", "- ", ""), ("", "\t ", "")],
)
def test_a_page_of_anything_takes_linear_time(before, part, after):
    def page(size):
        return drawn(lambda canvas: canvas.drawString(72, 700, before + part * (size // len(part)) + after))

    def work(data):
        with contextlib.suppress(Unreadable):
            read_document("a.pdf", data)

    assert_linear(page, work, 60_000)


def test_a_page_of_many_blocks_takes_linear_time():
    def page(size):
        def draw(canvas):
            for number in range(size):
                canvas.drawString(number % 90 * 5, 800 - number % 97 * 7.9, f"w{number}")

        return drawn(draw)

    def work(data):
        assert "w1999" in read_document("a.pdf", data).text

    assert_linear(page, work, 8000)


# Tables


def grid(canvas: Canvas, top: float, *rows: Sequence[str], by_column: bool = False, widths: float = 110) -> None:
    """Cells drawn row by row, or column by column."""
    places = [(row, column) for row in range(len(rows)) for column in range(len(rows[0]))]
    for row, column in sorted(places, key=lambda place: place[::-1]) if by_column else places:
        canvas.drawString(72 + widths * column, top - 16 * row, rows[row][column])


PLOTS = [["Plot", "Name", "Rent"], *([str(n), ["Birch wood", "Elder"][n % 2], str(30 + n % 9)] for n in range(1, 41))]


def test_rows_of_a_table_know_their_columns_and_text_around_it_stays():
    def draw(canvas):
        canvas.drawString(72, 780, "Rents of the society, as they were agreed at the meeting in March of this year.")
        grid(canvas, 760, *PLOTS)
        canvas.drawString(72, 90, "They are paid by the first of May, or with a charge of two pounds from then on.")

    lines = read(draw).text.split("\n")
    assert lines[0].startswith("Rents of the society")
    assert lines[2] == "Plot: 1; Name: Elder; Rent: 31"
    assert lines[41] == "Plot: 40; Name: Birch wood; Rent: 34"
    assert lines[43].startswith("They are paid")


def test_a_table_that_goes_on_keeps_its_columns():
    def draw(canvas):
        grid(canvas, 760, *PLOTS)
        canvas.showPage()
        canvas.drawString(72, 800, "Society of the Hill")
        grid(canvas, 760, *([str(n), "Cedar", "28"] for n in range(41, 60)))
        canvas.showPage()
        grid(canvas, 760, ["60", "Fir", "27"], ["61", "Ivy", "22"], ["62", "Oak", "29"])

    document = read(draw)
    assert "Plot: 50; Name: Cedar; Rent: 28" in document.text
    assert "Plot: 61; Name: Ivy; Rent: 22" in document.text
    assert document.text.count("Plot | Name") == 0


def test_another_table_does_not_take_the_columns_of_the_one_before():
    def draw(canvas):
        grid(canvas, 760, *PLOTS[:9])
        canvas.drawString(72, 500, "That was the first table.")
        for n in range(5):
            canvas.drawString(72, 480 - 30 * n, f"Remark {n} on what was said about it at the last meeting.")
        canvas.showPage()
        grid(canvas, 760, *([str(n), "of sand", str(7 * n)] for n in range(1, 8)), widths=90)

    assert "\n2 | of sand | 14\n" in read(draw).text


def test_cells_of_several_lines_are_one():
    def draw(canvas):
        for column, name in enumerate(["Plot", "Area", "Rent"]):
            canvas.drawString(72 + 110 * column, 760, name)
            if column:
                canvas.drawString(72 + 110 * column, 746, ["", "(sq m)", "(pounds)"][column])
        grid(canvas, 720, *([str(n), str(180 + n), str(30 + n)] for n in range(1, 9)))

    assert read(draw).text.startswith("Plot: 1; Area (sq m): 181; Rent (pounds): 31\nPlot: 2;")


def test_columns_of_prose_and_lists_are_no_table():
    said = "The committee met on Tuesday to talk of the roof and of what it will cost in the coming year"
    words = said.split()
    left = [" ".join(words[n : n + 6]) for n in range(0, 18, 3)]
    right = [" ".join(words[n : n + 5]) for n in range(1, 19, 3)]
    rows = list(zip(left, right, strict=True))

    def draw(by_column):
        return lambda canvas: grid(canvas, 760, *rows, by_column=by_column, widths=260)

    for by_column in (False, True):
        assert " | " not in read(draw(by_column)).text
    short = [("Ann Sorrel", "Invoice 17"), ("4 Mill Lane", "Due in May"), ("Wexley", "By bank")]
    text = read(lambda canvas: grid(canvas, 760, *short, by_column=True, widths=260)).text
    assert text.index("Wexley") < text.index("Invoice")
