"""The source in place: what is marked on a page, or in a text, is what was asked for, and nothing else."""

import io
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from reportlab.lib.colors import black, red
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from infinidoc import Collection
from infinidoc.documents.formats.pdf import opened
from infinidoc.errors import InfinidocError
from infinidoc.serving import pages
from infinidoc.serving.places import page_png, place

ROOF = "The work on the roof begins on Monday."


@pytest.fixture
def read(tiny):
    """Ingests files of the working directory; returns the collection."""
    opened = []

    def ingest(*names):
        collection = Collection.open("places", model=str(tiny), memory=False)
        opened.append(collection)
        collection.ingest([Path(name) for name in names])
        return collection

    yield ingest
    for collection in opened:
        collection.close()


def only(collection):
    (document,) = collection.documents()
    return document.id, collection.store.document(document.id).text


def shown(collection, words, **options):
    """The place of some words of the only document: where they stand last."""
    document, text = only(collection)
    start = text.rindex(words)
    return place(collection.store, document, start, start + len(words), **options)


# Pages


def write(name, draw, **options):
    canvas = Canvas(name, pagesize=A4, **options)
    draw(canvas)
    canvas.showPage()
    canvas.save()


def lines(canvas, *texts, x=72, y=700, colour=black):
    canvas.setFillColor(colour)
    for number, text in enumerate(texts):
        canvas.drawString(x, y - 14 * number, text)


def ink(picture, boxes):
    """How many red and black pixels lie within boxes and outside of them: {("red", True): …}."""
    width, height = picture.size
    inside = Image.new("1", picture.size)
    for left, top, right, bottom in boxes:
        low, high = (left * width - 1, top * height - 1), (right * width + 2, bottom * height + 2)
        inside.paste(1, (*map(int, low), *map(int, high)))
    counts = dict.fromkeys([("red", True), ("red", False), ("black", True), ("black", False)], 0)
    pixels = zip(
        picture.getchannel("R").tobytes(), picture.getchannel("B").tobytes(), inside.convert("L").tobytes(), strict=True
    )
    for r, b, within in pixels:
        if b < 128:
            counts["red" if r > 200 else "black", bool(within)] += 1
    return counts


def turned(angle):
    def draw(canvas):
        canvas.translate(300, 400)
        canvas.rotate(angle)
        lines(canvas, "A note in the margin, of last year.", x=-100, y=40)
        lines(canvas, ROOF, x=-100, y=0, colour=red)

    return draw


def rotated(angle):
    def draw(canvas):
        canvas.setPageRotation(angle)
        lines(canvas, "The minutes of March were approved.", y=560)
        lines(canvas, ROOF, y=520, colour=red)

    return draw


def cropped(canvas):
    canvas.setCropBox((50, 600, 400, 760))
    lines(canvas, ROOF, y=100)  # outside
    lines(canvas, ROOF, colour=red)


def wrapped(canvas):
    lines(canvas, "Nothing else was said about the house, and the meeting went on to heat-", y=714)
    lines(canvas, "ing.", y=700)
    lines(canvas, "The work on the roof be-", "gins on Monday.", y=660, colour=red)
    lines(canvas, "All else waits until the spring of the year that comes.", y=620)


def repeated(canvas):
    lines(canvas, "This was said in March.", ROOF, "It was not so.", y=740)
    lines(canvas, "In April somebody said it again.", y=660)
    lines(canvas, ROOF, y=636, colour=red)
    lines(canvas, "And so it was.", y=622)


def table(canvas):
    cells = [("Tenant", "Plot", "Rent"), ("Ann Lee", "3", "£40"), ("Bob Ray", "4", "£43"), ("Ann Roe", "3", "£43")]
    for row, texts in enumerate(cells):
        for column, text in enumerate(texts):
            lines(canvas, text, x=72 + 100 * column, y=600 - 18 * row, colour=red if row == 2 else black)


DRAWN = {
    "upright": lambda canvas: rotated(0)(canvas),
    **{f"page turned by {angle}": rotated(angle) for angle in (90, 180, 270)},
    **{f"text turned by {angle}": turned(angle) for angle in (90, 180, 270, 30)},
    "cropped": cropped,
    "over two lines": wrapped,
    "the last of two": repeated,
}


def assert_marks_what_is_red(collection, found, is_upright=True):
    assert (found.page, found.pages, found.note) == (1, 1, "")
    picture = Image.open(io.BytesIO(page_png(collection.store, 1, 1))).convert("RGB")
    counts = ink(picture, found.boxes)
    assert counts["red", True] > 100
    assert counts["red", False] == 0
    if is_upright:  # a box is no parallelogram
        assert counts["black", True] == 0


@pytest.mark.parametrize("name", DRAWN)
def test_the_words_are_marked_on_the_page_and_nothing_else(read, name):
    write("minutes.pdf", DRAWN[name])
    collection = read("minutes.pdf")
    assert_marks_what_is_red(collection, shown(collection, ROOF), name != "text turned by 30")


def test_a_row_of_a_table_is_marked_although_its_values_have_names_in_the_text(read):
    write("rents.pdf", table)
    collection = read("rents.pdf")
    row = "Tenant: Bob Ray; Plot: 4; Rent: £43"
    assert row in only(collection)[1]
    assert_marks_what_is_red(collection, shown(collection, row))


def test_each_line_has_a_box_of_its_own(read):
    write("minutes.pdf", wrapped)
    assert len(shown(read("minutes.pdf"), ROOF).boxes) == 2


def test_what_is_filled_into_a_form_is_marked_too(read):
    def draw(canvas):
        lines(canvas, "Name of the tenant:")
        canvas.acroForm.textfield(name="tenant", value="Marit Dunlop", x=180, y=694, width=150, height=20)

    write("lease.pdf", draw)
    found = shown(read("lease.pdf"), "Name of the tenant: Marit Dunlop")
    assert found.note == ""
    assert min(box.left for box in found.boxes) == pytest.approx(72 / A4[0], abs=0.01)
    assert max(box.right for box in found.boxes) == pytest.approx(330 / A4[0], abs=0.01)


def test_words_that_stand_elsewhere_leave_the_page_unmarked_and_it_says_so(read):
    def draw(canvas):
        canvas.bookmarkPage("a")
        canvas.addOutlineEntry("Grounds for the lease of the northern meadow", "a", 0)
        lines(canvas, "Something else.")

    write("lease.pdf", draw)
    found = shown(read("lease.pdf"), "Grounds for the lease of the northern meadow")
    assert (found.page, found.boxes, found.note) == (1, (), pages.NOWHERE)


def test_a_scan_is_shown_as_one():
    """What was read by OCR stands nowhere on the page."""
    write("scan.pdf", lambda canvas: canvas.rect(72, 72, 200, 200))
    with opened(Path("scan.pdf").read_bytes()) as source:
        assert pages.find(source, 0, pages.Excerpt("", ROOF, "")) == ((), pages.PICTURE)


def test_pages_are_numbered_as_in_the_file(read):
    def draw(canvas):
        canvas.addPageLabel(0, "ROMAN_LOWER", 1)
        canvas.addPageLabel(2, "ARABIC", 1)
        for text in ("A preface.", "", ROOF):  # the second is empty
            lines(canvas, text)
            canvas.showPage()

    write("minutes.pdf", draw)
    found = shown(read("minutes.pdf"), ROOF)
    assert (found.place, found.page) == ("page 1 (3 of 4)", 3)


def test_a_page_can_be_shown_as_text(read):
    write("minutes.pdf", repeated)
    found = shown(read("minutes.pdf"), ROOF, as_text=True)
    assert (found.page, found.note) == (0, "")
    assert marked(found) == [ROOF]


def test_once_the_file_has_changed_its_text_is_shown_as_it_was_read(read):
    write("minutes.pdf", rotated(0))
    collection = read("minutes.pdf")
    write("minutes.pdf", lambda canvas: lines(canvas, "All of it is new."))
    found = shown(collection, ROOF)
    assert (found.page, marked(found)) == (0, [ROOF])
    assert found.note.startswith("The file has changed since it was read")
    with pytest.raises(InfinidocError, match="has changed"):
        page_png(collection.store, 1, 1)


def test_once_the_file_is_gone_its_text_is_shown_or_a_copy_of_it(read):
    write("minutes.pdf", rotated(0))
    shutil.copy("minutes.pdf", "copy.pdf")
    collection = read("minutes.pdf", "copy.pdf")
    os.remove("copy.pdf")
    assert shown(collection, ROOF).page == 1
    os.remove("minutes.pdf")
    found = shown(collection, ROOF)
    assert (found.page, marked(found)) == (0, [ROOF])
    assert found.note.startswith("The file is no longer there")


def test_a_page_of_a_file_in_an_archive_is_shown(read):
    write("minutes.pdf", rotated(0))
    with zipfile.ZipFile("letters.zip", "w") as archive:
        archive.write("minutes.pdf", "2026/minutes.pdf")
    collection = read("letters.zip")
    assert_marks_what_is_red(collection, shown(collection, ROOF))
    with zipfile.ZipFile("letters.zip", "w") as archive:
        archive.write("minutes.pdf", "2026/other.pdf")
    assert shown(collection, ROOF).note.startswith("The file is no longer there")


def test_only_pages_that_there_are_can_be_drawn(read):
    write("minutes.pdf", rotated(0))
    Path("notes.txt").write_text(ROOF)
    collection = read("minutes.pdf", "notes.txt")
    numbers = {Path(document.path).name: document.id for document in collection.documents()}
    for document, page in [
        (numbers["minutes.pdf"], 0),
        (numbers["minutes.pdf"], 2),
        (numbers["notes.txt"], 1),
        (99, 1),
    ]:
        with pytest.raises(InfinidocError):
            page_png(collection.store, document, page)


def test_a_picture_has_its_bounds_whatever_the_page_measures(read):
    for name, size in {"wide.pdf": (14_400, 100), "high.pdf": (100, 14_400), "huge.pdf": (14_400, 14_400)}.items():
        canvas = Canvas(name, pagesize=size)
        canvas.drawString(10, 50, name)
        canvas.save()
    collection = read("wide.pdf", "high.pdf", "huge.pdf")
    for document in collection.documents():
        width, height = Image.open(io.BytesIO(page_png(collection.store, document.id, 1))).size
        assert width <= pages.WIDTH
        assert width * height <= pages.PIXELS * 1.01


def test_a_page_that_takes_too_long_is_not_drawn(read, monkeypatch):
    def draw(canvas):
        lines(canvas, ROOF)
        for number in range(2_000):
            canvas.circle(300, 400, number % 250)

    write("minutes.pdf", draw)
    collection = read("minutes.pdf")
    monkeypatch.setattr(pages, "SECONDS", 0.0)
    with pytest.raises(InfinidocError, match="takes too long"):
        page_png(collection.store, 1, 1)


# Text


def marked(found):
    return [line.text[start:end] for line in found.lines for start, end in line.marks]


def test_the_line_is_marked(read):
    Path("rules.txt").write_text(f"House rules\n\nNo shoes. {ROOF} No dogs.\nNo shouting.\n")
    found = shown(read("rules.txt"), ROOF)
    assert [line.label for line in found.lines] == ["line 1", "line 2", "line 3", "line 4"]
    assert found.lines[2].marks == ((10, 10 + len(ROOF)),)
    assert marked(found) == [ROOF]
    assert (found.document, found.place, found.before, found.after) == ("rules.txt", "line 3", None, None)


def test_what_runs_over_several_lines_is_marked_on_each(read):
    Path("rules.txt").write_text("one two\nthree\n\nfour five\n")
    assert marked(shown(read("rules.txt"), "two\nthree\n\nfour")) == ["two", "three", "four"]


def test_places_have_their_names(read):
    Path("loans.csv").write_text("book,reader\nThe Waves,Marit\nOrlando,Sam\n")
    found = shown(read("loans.csv"), "Orlando")
    assert [line.label for line in found.lines if line.marks] == [found.place]


@pytest.mark.parametrize("text", ["x" * 50_000, "\n" * 40_000 + "x", "line of it\n" * 5_000, "# A\n\nb c\n" * 4_000])
def test_a_long_text_comes_in_parts_that_are_together_the_whole(read, text):
    Path("long.md").write_text(f"start {text} end")
    collection = read("long.md")
    document, text = only(collection)
    found = shown(collection, "end")
    assert marked(found) == ["end"]
    parts = [found]
    while parts[0].before is not None:
        parts.insert(0, place(collection.store, document, 0, 0, at=parts[0].before))
    got = [line for part in parts for line in part.lines]
    assert all(text[line.start : line.start + len(line.text)] == line.text for line in got)
    ends = [line.start + len(line.text) for line in got]
    assert got[0].start == 0
    assert ends[-1] == len(text.removesuffix("\n"))
    assert all(0 <= after.start - end <= 1 for end, after in zip(ends, got[1:], strict=False))
    assert max(sum(len(line.text) for line in part.lines) for part in parts) < 40_000
    forward = [place(collection.store, document, 0, 0)]
    while forward[-1].after is not None:
        forward.append(place(collection.store, document, 0, 0, at=forward[-1].after))
    assert [line.text for part in forward for line in part.lines] == [line.text for line in got]


def test_a_place_that_is_none_is_refused_in_a_line(read):
    Path("rules.txt").write_text(ROOF)
    collection = read("rules.txt")
    for start, end, at in [
        (-1, 3, None),
        (3, 2, None),
        (0, 10**6, None),
        (0, 0, 10**6),
        (0, 0, -1),
        (10**30, 10**30, 0),
    ]:
        with pytest.raises(InfinidocError, match="no such place"):
            place(collection.store, 1, start, end, at)
    for document in (2, -1, 10**30):
        with pytest.raises(InfinidocError, match="no document"):
            place(collection.store, document, 0, 0)


def test_a_text_whose_file_has_changed_says_so(read):
    Path("rules.txt").write_text(ROOF)
    collection = read("rules.txt")
    assert shown(collection, ROOF).note == ""
    Path("rules.txt").write_text("Something else.")
    assert shown(collection, ROOF).note.startswith("The file has changed")
    assert marked(shown(collection, ROOF)) == [ROOF]


def test_standard_input_is_no_file_that_could_be_gone(read, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(ROOF.encode())))
    assert shown(read("-"), ROOF).note == ""
