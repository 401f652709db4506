"""Scans and pictures: text that is drawn here is read back by OCR, and only where a page has none of its own."""

import io
from functools import cache

import numpy as np
import pypdfium2
import pytest
from PIL import Image
from reportlab.lib.pagesizes import A5
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import ocr, picture, read_document, refusal
from tests.documents import samples

needs_ocr = pytest.mark.skipif(not ocr.is_installed(), reason="needs infinidoc[ocr]")

LEFT = ["The committee met on Tuesday", "to discuss the budget of the", "coming year, which had been", "put off twice."]
RIGHT = ["Seven members came. The roof", "is to be mended in May, by", "the builders who have mended", "it before."]


def page(*lines: tuple[float, float, str], size: int = 13) -> Image.Image:
    """Lines at places of a small page, in points from its upper left corner, as a scanner sees them."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A5)
    canvas.setFont("Helvetica", size)
    for left, top, text in lines:
        canvas.drawString(left, A5[1] - top, text)
    canvas.save()
    return pypdfium2.PdfDocument(file.getvalue())[0].render(scale=150 / 72).to_pil()


@cache
def letter() -> Image.Image:
    return page(
        (40, 60, "Lease of the boat house"), (40, 110, "The yearly rent is 64 pounds."), (40, 130, "It is paid in May.")
    )


def scanned(*pages: Image.Image | str) -> bytes:
    """A PDF with pages of text, and others that are pictures."""
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A5)
    for content in pages:
        if isinstance(content, str):
            canvas.drawString(40, 500, content)
        else:
            canvas.drawImage(ImageReader(content), 0, 0, *A5)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def text_of(image: Image.Image) -> str:
    return ocr.text_of(image.convert("RGB"))


# What is read


@needs_ocr
def test_only_pages_without_text_are_read_from_pictures(monkeypatch):
    seen = []
    monkeypatch.setattr(ocr, "text_of", lambda image, real=ocr.text_of: seen.append(image.shape) or real(image))
    document = read_document("a.pdf", scanned("Minutes, as typed.", letter(), "The end."))
    assert len(seen) == 1
    assert "The yearly rent is 64 pounds." in document.text
    assert document.locate(document.text.index("yearly")) == "page 2"
    assert document.text.startswith("Minutes, as typed.")
    assert document.pages == 3
    assert document.notes == ("1 of 3 pages (2) read from pictures (OCR)",)


@needs_ocr
def test_columns_are_read_one_after_the_other():
    lines = [(30, 60, "Minutes of the seventh meeting of the committee for the hall")]
    lines += [(30, 100 + 20 * n, text) for n, text in enumerate(LEFT)]
    lines += [(230, 100 + 20 * n, text) for n, text in enumerate(RIGHT)]
    words = " ".join(text_of(page(*lines, size=11)).split())
    assert words == " ".join(["Minutes of the seventh meeting of the committee for the hall", *LEFT, *RIGHT])


@needs_ocr
def test_rows_of_a_table_stay_together_and_know_their_columns():
    rows = [("Plot", "Rent", "Water"), ("Birch", "38", "31"), ("Cedar", "29", "34"), ("Elder", "33", "38")]
    places = [
        (left, 100 + 24 * n, cell) for n, row in enumerate(rows) for left, cell in zip((40, 160, 280), row, strict=True)
    ]
    assert "Plot: Cedar; Rent: 29; Water: 34" in text_of(
        page((40, 60, "Rents of the society for the coming year"), *places)
    )


@needs_ocr
@pytest.mark.parametrize("angle", [90, 180, 270, 3, -4])
def test_pages_that_lay_askew_or_upside_down(angle):
    words = text_of(letter().rotate(angle, expand=True, fillcolor="white")).split()
    assert words == text_of(letter()).split()
    assert " ".join(words) == "Lease of the boat house The yearly rent is 64 pounds. It is paid in May."


@needs_ocr
@pytest.mark.parametrize(("name", "format"), [("a.png", "png"), ("a.jpg", "jpeg"), ("a.webp", "webp"), ("a", "png")])
def test_pictures_are_documents(name, format):
    document = read_document(name, saved(letter(), format))
    assert "The yearly rent is 64 pounds." in document.text
    assert (document.format, document.pages, document.locate(0)) == (format, 1, "picture")


@needs_ocr
def test_a_tiff_may_have_pages():
    data = saved(letter(), "tiff", save_all=True, append_images=[page((40, 80, "The second page is short."))])
    document = read_document("a.tif", data)
    assert document.locate(document.text.index("second")) == "page 2"
    assert document.pages == 2


@needs_ocr
def test_letters_on_nothing_are_on_white_paper():
    pixels = np.array(letter().convert("RGBA"))
    pixels[..., 3] = 255 - pixels[..., 0]
    pixels[..., :3] = 0
    assert "64 pounds" in read_document("a.png", saved(Image.fromarray(pixels), "png")).text


@needs_ocr
def test_the_camera_says_which_way_is_up():
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    data = saved(letter().rotate(180), "jpeg", exif=exif.tobytes())
    assert "The yearly rent is 64 pounds." in read_document("a.jpg", data).text


@needs_ocr
def test_what_a_stamp_lies_over_is_read_and_typed_text_over_a_photograph_stays():
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=A5)
    for picture_, line in (
        (letter(), "Scanned with PaperSnap"),
        (Image.new("RGB", (60, 90), "lightgrey"), "Harbour, 2026"),
    ):
        canvas.drawImage(ImageReader(picture_), 0, 0, *A5)
        canvas.drawString(40, 30, line)
        canvas.showPage()
    canvas.save()
    document = read_document("a.pdf", file.getvalue())
    assert "64 pounds" in document.text
    assert document.text.endswith("\n\nHarbour, 2026")
    assert document.notes == ("1 of 2 pages (1) read from pictures (OCR)",)


# What can't be read


@needs_ocr
def test_a_picture_of_nothing():
    blank = Image.new("RGB", (300, 200), "white")
    with pytest.raises(Unreadable, match=r"^no text found on it$"):
        read_document("a.png", saved(blank, "png"))
    assert read_document("a.pdf", scanned("Text.", blank)).notes == ("no text found on 1 of 2 pages (2): pictures",)


@needs_ocr
def test_a_picture_that_was_cut_off():
    data = saved(letter(), "png")
    for size in (20, len(data) // 2):
        with pytest.raises(Unreadable, match=r"^damaged"):
            read_document("a.png", data[:size])


@needs_ocr
def test_an_enormous_picture_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(picture, "_LARGEST", 10_000)
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(Unreadable, match=r"^larger than 0 megapixels$"):
        read_document("a.png", saved(Image.new("1", (200, 200)), "png"))


def test_without_the_extra_a_line_names_it(monkeypatch):
    monkeypatch.setattr(ocr, "is_installed", lambda: False)
    hint = "pip install 'infinidoc[ocr]' reads them"
    data = saved(letter(), "png")
    assert refusal("a.png", data[:100]) == f"a picture: {hint}"
    with pytest.raises(Unreadable, match=r"^no text in it: scans\? pip install 'infinidoc\[ocr\]' reads them$"):
        read_document("a.pdf", scanned(letter()))
    document = read_document("a.pdf", scanned("Text.", letter()))
    assert document.text == "Text."
    assert document.notes == (f"no text on 1 of 2 pages (2): pictures, such as scans; {hint}",)


def test_pages_with_text_need_no_engine(monkeypatch):
    monkeypatch.setattr(ocr, "text_of", lambda image: pytest.fail("recognised"))
    assert read_document("a.pdf", samples.pdf(samples.LONG)).notes == ()
