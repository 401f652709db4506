"""A file of some kilobytes must not take minutes: four times the input takes about four times as long, not sixteen."""

import time

import pytest

from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import read_document

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


def seconds(data: bytes) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        try:
            read_document("a.html", data)
        except Unreadable as error:
            assert str(error) in ("nested too deeply", "its markup is too tangled", "empty")  # noqa: PT017
        times.append(time.process_time() - start)
    return min(times)


@pytest.mark.parametrize("name", PAGES)
def test_pages(name):
    before, part, after = PAGES[name]

    def page(size: int) -> bytes:
        return (before + "".join(part.format(n=n) for n in range(size // len(part))) + after).encode()

    assert seconds(page(120_000)) < 8 * seconds(page(30_000)) + 0.1
