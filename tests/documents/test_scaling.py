"""A file of some kilobytes must not take minutes."""

from functools import partial

import pytest

from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import read_document
from tests.documents import samples
from tests.documents.growth import assert_linear
from tests.documents.test_word import item, level, numbering, p
from tests.documents.test_word import members as word

XHTML = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><p>x'

# What once was quadratic, or may become so; each is repeated as often as the file has room.
PAGES = {
    "a tag's name that never ends": (XHTML + "<", "a", ""),
    "attributes without a tag's end": (XHTML + "<a ", "b ", ""),
    "slashes in a tag": (XHTML + "<a ", "/", ""),
    "tags that are not closed": ("", "<x>", ""),
    "tags that are closed by others": ("", "<x></y>", ""),
    "formatting that each paragraph repeats": ("<p>", "<font id={n}>", "<p>x</p>" * 4000),
    "attributes of one tag": ("<p ", "a{n}=1 ", ">x"),
    "options of a field": ("<select>", "<option>x", ""),
    "rows": ("<table>", "<tr><td>x<td>y", ""),
    "cells that reach down": ("<table><tr>", "<td rowspan=9999>x", "<tr><td>y" * 3000),
    "tables in tables": ("", "<table><tr><td>x", ""),
    "lists that count down": ("<ol reversed>", "<li>x", ""),
    "comments that never end": ("", "x<!--", ""),
    "scripts that never end": ("", "x<script>", ""),
    "hidden by style": ('<p style="', ";   ", '">x'),
    "headings": ("", "<h1>x</h1>", ""),
}


def read(name: str, data: bytes) -> None:
    try:
        read_document(name, data)
    except Unreadable as error:
        assert str(error) in ("nested too deeply", "its markup is too tangled", "empty")  # noqa: PT017


@pytest.mark.parametrize("name", PAGES)
def test_pages(name):
    before, part, after = PAGES[name]

    def page(size: int) -> bytes:
        return (before + "".join(part.format(n=n) for n in range(size // len(part))) + after).encode()

    assert_linear(page, partial(read, "a.html"), 120_000)


def styles(n: int) -> bytes:
    based = (f'<w:style w:styleId="s{i}"><w:basedOn w:val="s{i + 1}"/></w:style>' for i in range(n))
    return samples.archive(word(p("x", properties='<w:pStyle w:val="s0"/>') * n, styles="".join(based)))


def notes(n: int) -> bytes:
    body = p(*(f'<w:r><w:footnoteReference w:id="{i}"/></w:r>' for i in range(n)))
    return samples.archive(
        word(body, footnotes="".join(f'<w:footnote w:id="{i}">{p("x")}</w:footnote>' for i in range(n)))
    )


def items(n: int) -> bytes:
    return samples.archive(word(item("x") * n, numbering=numbering(level(0, "decimal", "%1."))))


@pytest.mark.parametrize("document", [styles, notes, items])
def test_word(document):
    assert_linear(document, partial(read, "a.docx"), 2000)
