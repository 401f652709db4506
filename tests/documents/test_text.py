"""Plain text, Markdown, JSON and notebooks: pictures written into them, letters that are escaped."""

import base64
import json
import random
from functools import partial

import pytest

from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import read_document
from tests.documents.growth import assert_linear

PICTURE = base64.b64encode(random.Random(1).randbytes(30_000)).decode()
WRAPPED = base64.encodebytes(random.Random(2).randbytes(5_000)).decode()


def text(name: str, content: str) -> str:
    return read_document(name, content.encode()).text


# Pictures


def test_pictures_in_markdown_become_their_kind_and_lines_stay():
    lines = [
        "# The boat house",
        "![plan](data:image/jpeg;base64," + PICTURE + ' "a title") and more',
        "<img alt='lake' src='data:image/png;charset=utf-8;base64," + PICTURE + "'>",
        "![wrapped](data:image/png;base64,\n" + WRAPPED.rstrip("\n") + ")",
        "[image1]: <data:image/png;base64," + PICTURE + ">",
        "![drawn](data:image/svg+xml;utf8,%3Csvg%20" + "x" * 300 + ")",
        "Life jackets are free.",
    ]
    document = read_document("a.md", "\n".join(lines).encode())
    assert [line for line in document.text.split("\n") if line] == [
        "# The boat house",
        '![plan](data:image/jpeg "a title") and more',
        "<img alt='lake' src='data:image/png'>",
        "![wrapped](data:image/png",
        ")",
        "[image1]: <data:image/png>",
        "![drawn](data:image/svg+xml)",
        "Life jackets are free.",
    ]
    jackets = 1 + "\n".join(lines).split("\n").index(lines[-1])
    assert document.locate(document.text.index("Life")) == f"line {jackets}"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", f"before {PICTURE} after"),
        ("a.txt", f"before\n{WRAPPED}after"),
        ("a.html", f"<p>before</p><p>data:image/png;base64,{PICTURE}</p><p>after</p>"),
        (
            "a.json",
            json.dumps({"a": "before", "picture": PICTURE, "uri": f"data:image/png;base64,{PICTURE}", "b": "after"}),
        ),
        ("a.jsonl", json.dumps({"a": "before", "picture": PICTURE, "b": "after"}) + "\n{}\n"),
        ("a.csv", f"name,picture,note\nbefore,{PICTURE},after\n"),
        ("a.eml", f"Subject: before\n\ndata:image/png;base64,{PICTURE}\n\nafter\n"),
        (
            "a.ipynb",
            json.dumps(
                {
                    "cells": [
                        {"source": f"before ![x](data:image/png;base64,{PICTURE})", "attachments": {"x": PICTURE}},
                        {"source": "x", "outputs": [{"data": {"image/png": PICTURE, "text/plain": "after"}}]},
                    ]
                }
            ),
        ),
    ],
)
def test_pictures_anywhere_are_no_text(name, content):
    shown = text(name, content)
    assert "before" in shown
    assert "after" in shown
    assert len(shown) < 300
    if name == "a.txt":
        assert shown.count("\n") == content.count("\n")


@pytest.mark.parametrize(
    "kept",
    [
        "x" * 5000,
        "ACGT" * 2000,
        "0123456789abcdef" * 40,
        "see data: the tables, base64 and all",
        "https://example.org/" + "a-long/path_of/words" * 30,
        "\n".join(["sixty characters of one word make no file, as they have blanks"] * 20),
        "data:text/plain,short",
    ],
)
def test_what_only_looks_like_a_picture_stays(kept):
    assert text("a.txt", kept) == kept


@pytest.mark.parametrize(
    "piece", ["data:", "data:image/png;base64,", "data:a/b;", "A1b", "A1b=", "data:,x", "A1b\n", "<!--", "`", "&#"]
)
def test_repeated_beginnings_take_linear_time(piece):
    assert_linear(lambda size: piece * (size // len(piece)) + " end", partial(text, "a.md"), 400_000)


# Escapes


def test_entities_in_markdown_are_letters_but_in_code():
    content = (
        "caf&eacute; &amp; bar&#233; 5&nbsp;&euro; &unknown; &#10; `&eacute;`\n```\n&eacute;\n```\n<!-- a\nnote -->x"
    )
    assert text("a.md", content) == "café & baré 5 € &unknown; &#10; `&eacute;`\n```\n&eacute;\n```\n\nx"
    assert text("a.txt", "caf&eacute;") == "caf&eacute;"


def test_escapes_in_json_that_keeps_its_lines_are_letters():
    content = '{\n "name": "caf\\u00e9 \\ud83d\\ude00",\n "path": "C:\\\\u00e9\\u0022\\u000a\\ud800"\n}\n'
    assert text("a.json", content) == '{\n "name": "café 😀",\n "path": "C:\\\\u00e9\\u0022\\u000a\\ud800"\n}\n'


def test_json_lines_by_another_name():
    document = read_document("a.json", b'{"name": "Ann"}\n{"name": "Bob"}\n')
    assert document.text == "name: Ann\nname: Bob"
    assert document.locate(document.text.index("Bob")) == "line 2"


def test_names_that_are_repeated_do_not_multiply_text(monkeypatch):
    monkeypatch.setattr("infinidoc.documents.formats.json.MAX_CHARACTERS", 100_000)
    with pytest.raises(Unreadable, match="million characters of text: split it"):
        text("a.json", json.dumps([{"k" * 1000: {str(n): n for n in range(1000)}}]))


def test_notebooks_show_what_a_browser_shows():
    outputs = [
        {
            "output_type": "display_data",
            "data": {"text/plain": ["<IPython.core.display.HTML object>"], "text/html": "<b>bold</b>"},
        },
        {
            "output_type": "display_data",
            "data": {"text/plain": "<IPython.core.display.Markdown object>", "text/markdown": ["*md*"]},
        },
        {"output_type": "execute_result", "data": {"text/plain": "   a\n0  1", "text/html": "<table>…</table>"}},
        {"output_type": "stream", "text": "printed\n"},
    ]
    shown = text("a.ipynb", json.dumps({"cells": [{"cell_type": "code", "source": "run()", "outputs": outputs}]}))
    assert shown == "run()\n\nbold\n\n*md*\n\n   a\n0  1\n\nprinted"


def test_rows_of_a_long_markdown_table_know_their_columns_and_stay_on_their_lines():
    rows = "\n".join(f"| {n} | {30 + n} | a \\| b |" for n in range(1, 50))
    given = f"# Plots\n\n| Plot | Rent | Note |\n| :-- | --: | --- |\n{rows}\n\nEnd\n"
    document = read_document("a.md", given.encode())
    lines = document.text.split("\n")
    assert lines[2:5] == ["| Plot | Rent | Note |", "| :-- | --: | --- |", "Plot: 1; Rent: 31; Note: a | b"]
    assert lines[50] == "Plot: 47; Rent: 77; Note: a | b"
    assert len(lines) == len(given.split("\n"))
    assert document.locate(document.text.index("End")) == "line 55"


def test_short_markdown_tables_and_those_in_fences_stay_as_they_are():
    short = "| Plot | Rent |\n|---|---|\n| 1 | 38 |\n| 2 | 40 |\n"
    fenced = "```\nPlot | Rent\n---|---\n" + "1 | 38\n" * 20 + "```\n"
    for text in (short, fenced):
        assert read_document("a.md", text.encode()).text == text
