"""What agents are shown of a document."""

import pytest

from infinidoc.documents.document import Document, Mark
from infinidoc.errors import InfinidocError
from infinidoc.serving import excerpts
from infinidoc.serving.excerpts import Quoting, around, at_place, onwards

PAGES = Document("one\ntwo\nthree\n", "pdf", tuple(Mark(at, f"page {n}", True) for n, at in ((1, 0), (2, 4), (3, 8))))
LINES = Document("".join(f"line number {number}\n" for number in range(1, 1001)), "txt")


@pytest.mark.parametrize(("place", "text"), [("page 2", "two\n"), ("3", "three\n"), (" PAGE 1 ", "one\n")])
def test_a_page_is_what_stands_on_it(place, text):
    excerpt = at_place(PAGES, place)
    assert excerpt.text == text == PAGES.text[excerpt.start : excerpt.end]


def test_other_places_go_by_their_labels():
    marks = (Mark(0, "sheet Prices"), Mark(5, "message 2: Roof"), Mark(10, "slide 3"), Mark(15, "page iv (4 of 9)"))
    document = Document("aaaa bbbb cccc dddd", "x", marks)
    for place, text in (("sheet prices", "aaaa "), ("message 2", "bbbb "), ("3", "cccc "), ("page 4", "dddd")):
        assert at_place(document, place).text == text
    with pytest.raises(InfinidocError, match='no place "page 9": there are "sheet Prices", "message 2: Roof"'):
        at_place(document, "page 9")


def test_a_line_is_shown_with_those_around_it():
    excerpt = at_place(LINES, "line 500")
    assert "\nline number 500\n" in excerpt.text
    assert excerpt.text.startswith("line number 4")
    assert len(excerpt.text) <= 2 * excerpts.AROUND + 20
    for place in ("line 0", "line 1002", "page 1", "nonsense"):
        with pytest.raises(InfinidocError, match="it has lines 1 to 1,001"):
            at_place(LINES, place)


def test_a_passage_is_whole_and_its_lines_are():
    start = LINES.text.index("line number 700")
    excerpt = around(LINES, start + 3, start + 9)
    assert excerpt.start <= start < start + 15 <= excerpt.end
    assert all(line.startswith("line number ") for line in excerpt.text.splitlines())
    assert around(LINES, 0, 5).start == 0
    assert around(LINES, len(LINES.text), len(LINES.text)).after is None
    for start, end in ((-1, 5), (5, 4), (0, len(LINES.text) + 1)):
        with pytest.raises(InfinidocError, match="it has no characters"):
            around(LINES, start, end)


def test_reading_on_comes_past_every_character_once():
    text, start = "", 0
    while start is not None:
        excerpt = onwards(LINES, start)
        assert 0 < len(excerpt.text) <= excerpts.LONGEST
        text, start = text + excerpt.text, excerpt.after
    assert text == LINES.text
    with pytest.raises(InfinidocError, match="it has no character"):
        onwards(LINES, len(LINES.text) + 1)


def test_a_text_without_lines_is_bounded_all_the_same():
    document = Document("word " * 100_000, "txt")
    assert len(around(document, 200_000, 200_100).text) <= 2 * excerpts.AROUND + 100
    assert len(at_place(document, "line 1").text) == excerpts.LONGEST


def test_no_document_can_end_its_own_quotation():
    quoted = Quoting()
    first = quoted("harmless")
    word = first.split(">")[0].split()[1]
    assert first == f"<document-text {word}>\nharmless\n</document-text {word}>"
    assert Quoting()("x") != Quoting()("x")
