"""What a person sees of a presentation is in its text, once, in the order in which they would read it."""

import io

import pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls
from pptx.util import Inches

from infinidoc.documents.document import Document
from infinidoc.documents.formats import read_document
from tests.documents import samples


@pytest.fixture
def presentation():
    return pptx.Presentation()


def data(presentation) -> bytes:
    file = io.BytesIO()
    presentation.save(file)
    return file.getvalue()


def read(presentation) -> Document:
    return read_document("a.pptx", data(presentation))


def blocks(presentation) -> list[str]:
    return read(presentation).text.split("\n\n")


def add(presentation, layout: int = 6):
    return presentation.slides.add_slide(presentation.slide_layouts[layout])


def box(shapes, text: str, left: float, top: float, width: float = 2, height: float = 1):
    shape = shapes.add_textbox(Inches(left), Inches(top), Inches(width), Inches(height))
    shape.text_frame.text = text
    return shape


def test_shapes_are_read_from_above_to_below_and_left_to_right(presentation):
    slide = add(presentation, 5)
    box(slide.shapes, "below", 1, 5, 8)
    box(slide.shapes, "right", 5, 2.1)
    box(slide.shapes, "left", 1, 2)
    box(slide.shapes, "left, lower", 1, 3.1)
    slide.shapes.title.text = "Title"
    assert blocks(presentation) == ["Title", "left", "right", "left, lower", "below"]


def test_columns_that_do_not_line_up_are_read_one_by_one(presentation):
    slide = add(presentation)
    for text, left, top in [
        ("r1", 5, 1.2),
        ("l1", 1, 1),
        ("l2", 1, 2.3),
        ("r2", 5, 2.1),
        ("l3", 1, 3.4),
        ("r3", 5, 3.7),
    ]:
        box(slide.shapes, text, left, top, 2, 1.5)
    assert blocks(presentation) == ["l1", "l2", "l3", "r1", "r2", "r3"]


def test_two_parts_side_by_side_are_read_one_after_the_other(presentation):
    slide = add(presentation, 4)  # with places for two headings, and a text below each
    for shape, text in zip(slide.placeholders, ["Title", "For", "cheap", "Against", "far"], strict=False):
        shape.text = text
    slide._element.cSld.spTree.append(slide.shapes.title._element)  # made last
    assert blocks(presentation) == ["Title", "For", "cheap", "Against", "far"]


def test_groups_are_read_as_one(presentation):
    slide = add(presentation)
    group = slide.shapes.add_group_shape()
    box(group.shapes, "second", 1, 2)
    box(group.shapes, "first", 1, 1)
    box(slide.shapes, "top", 1, 0, height=0.5)
    assert blocks(presentation) == ["top", "first", "second"]


def test_rows_of_tables_name_their_values(presentation):
    table = add(presentation).shapes.add_table(4, 3, 0, 0, Inches(6), Inches(3)).table
    rows = [["Plot", "Rent", "Area"], ["4", "38", "183"], ["5", "free", ""], ["North", "", ""]]
    for n, row in enumerate(rows):
        for column, text in enumerate(row):
            table.cell(n, column).text = text
    table.cell(2, 1).merge(table.cell(2, 2))
    table.cell(3, 0).merge(table.cell(3, 2))
    assert read(presentation).text == "Plot: 4; Rent: 38; Area: 183\nPlot: 5; Rent, Area: free\nNorth"


def test_charts_give_their_data(presentation):
    chart = CategoryChartData(number_format="0%")
    chart.categories = ["May", "June"]
    chart.add_series("2025", (0.2, 0.35))
    chart.add_series("2026", (0.25, None))
    frame = add(presentation).shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, Inches(5), Inches(4), chart)
    frame.chart.has_title = True
    frame.chart.chart_title.text_frame.text = "Visitors"
    assert read(presentation).text == "Visitors\nMay; 2025: 20%; 2026: 25%\nJune; 2025: 35%"


def test_hidden_slides_and_shapes_are_left_out(presentation):
    slide = add(presentation)
    box(slide.shapes, "shown", 1, 1)
    box(slide.shapes, "unseen", 1, 2)._element.nvSpPr.cNvPr.set("hidden", "1")
    hidden = add(presentation)
    box(hidden.shapes, "hidden", 1, 1)
    hidden.notes_slide.notes_text_frame.text = "hidden notes"
    hidden._element.set("show", "0")
    box(add(presentation).shapes, "last", 1, 1)
    document = read(presentation)
    assert document.text == "shown\n\nlast"
    assert document.locate(len("shown\n\n")) == "slide 3"
    assert document.notes == ("slide 2 is hidden, and left out",)
    assert document.pages == 3


def test_numbers_that_lists_make(presentation):
    frame = box(add(presentation).shapes, "steps:", 1, 1).text_frame
    for text, kind, start, level in [
        ("one", "arabicPeriod", 0, 0), ("two", "arabicPeriod", 0, 0), ("inner", "alphaLcParenR", 3, 1),
        ("three", "arabicPeriod", 0, 0), ("i", "romanUcParenBoth", 0, 0), ("dot", "", 0, 0),
        ("new", "arabicPeriod", 0, 0),
    ]:  # fmt: skip
        paragraph = frame.add_paragraph()
        paragraph.text = text
        paragraph.level = level
        if kind:
            properties = paragraph._p.get_or_add_pPr()
            number = f'<a:buAutoNum {nsdecls("a")} type="{kind}"/>'
            properties.append(parse_xml(number.replace("/>", f' startAt="{start}"/>') if start else number))
    assert read(presentation).text.split("\n") == (
        ["steps:", "1. one", "2. two", "c) inner", "3. three", "(I) i", "dot", "1. new"]
    )


def test_what_all_slides_show_is_said_once(presentation):
    presentation.slide_layouts[6].shapes._spTree.append(
        parse_xml(
            f'<p:sp {nsdecls("p", "a")}><p:nvSpPr><p:cNvPr id="99" name="x"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/>'
            "<p:txBody><a:bodyPr/><a:p><a:r><a:t>Marlow Ltd, confidential</a:t></a:r></a:p></p:txBody></p:sp>"
        )
    )
    for text in ("one", "two"):
        slide = add(presentation)
        box(slide.shapes, text, 1, 1)
        footer = box(slide.shapes, "Spring 2026", 1, 6)
        footer._element.nvSpPr.nvPr.append(parse_xml(f'<p:ph {nsdecls("p")} type="ftr" idx="11"/>'))
        number = box(slide.shapes, "7", 5, 6)
        number._element.nvSpPr.nvPr.append(parse_xml(f'<p:ph {nsdecls("p")} type="sldNum" idx="12"/>'))
    assert blocks(presentation) == ["one", "Spring 2026", "Marlow Ltd, confidential", "two"]


def test_slides_follow_the_order_of_the_presentation(presentation):
    for text in ("second", "first"):
        box(add(presentation).shapes, text, 1, 1)
    listed = presentation.slides._sldIdLst
    listed.insert(0, listed[1])
    assert blocks(presentation) == ["first", "second"]


def test_comments(presentation):
    box(add(presentation).shapes, "Rent: 38", 1, 1)
    members = samples.members(data(presentation))
    relation = '<Relationship Id="rIdX" Type="x/{}" Target="{}"/></Relationships>'
    for rels, kind, target in [
        ("ppt/slides/_rels/slide1.xml.rels", "comments", "../comments/comment1.xml"),
        ("ppt/_rels/presentation.xml.rels", "commentAuthors", "authors.xml"),
    ]:
        members[rels] = members[rels].replace(b"</Relationships>", relation.format(kind, target).encode())
    p = nsdecls("p")
    members["ppt/comments/comment1.xml"] = f'<p:cmLst {p}><p:cm authorId="0"><p:text>now 41</p:text></p:cm></p:cmLst>'
    members["ppt/authors.xml"] = f'<p:cmAuthorLst {p}><p:cmAuthor id="0" name="Ann"/></p:cmAuthorLst>'
    assert read_document("a.pptx", samples.archive(members)).text == "Rent: 38\n\n[Comment by Ann: now 41]"
