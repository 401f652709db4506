import pytest

from infinidoc.documents.formats import read_document
from tests.documents import samples


def text(body: bytes, head: bytes = rb"{\rtf1\ansi\ansicpg1252\deff0") -> str:
    return read_document("a.rtf", head + b" " + body + b"}").text


def test_rtf_is_what_the_page_shows():
    document = read_document("a.rtf", samples.rtf())
    assert document.text == (
        "Keys\n\nThe keys are at the café[1] on the corner.\n\n[1] Closed on “Sundays”.\n\nComment: Ask Bob.\n\n"
        "1.\tключ and 😀\n\nFruit | Price\nPlum (ripe) | 3\n\nA link with a space—\n\nFerry Lane Society"
    )
    assert document.locate(document.text.index("café")) == "section Keys"
    assert document.format == "rtf"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rb"\'93ja\'94", "“ja”"),
        (rb"{\uc2\u26085\'93\'fa\u26412\'96\'7b}", "日本"),
        (rb"{\uc0\u26085\u26412}x", "日本x"),
        (rb"a\u233\'e9b", "aéb"),
        (rb"a\u233 b", "aé"),  # the fallback is the next character, whatever it is
        (rb"{\upr{plain}{\*\ud{\u233?}}}", "é"),
        (rb"a{\*\unheardof b}c", "ac"),
        (rb"\{x\}\\", "{x}\\"),
        (b"one\\\ntwo", "one\n\ntwo"),
        (b"spl\r\nit", "split"),
        (rb"{\shp{\*\shpinst{\sp{\sn shapeType}{\sv 202}}{\shptxt boxed\par}}{\shprslt{\*\do again}}}", "boxed"),
        (rb"{\object{\*\objdata 0105}{\result shown}}", "shown"),
        (rb"{\v secret}seen{\deleted gone}", "seen"),
        (rb"\v secret\v0 seen", "seen"),
        (rb"{\pard\intbl a{\b b}\cell\row}", "ab"),
        (rb"{\footer p. 3}text{\footerf p. 3}", "text\n\np. 3"),
        (rb"}}}text", "text"),
        (rb"{{{text", "text"),
    ],
)
def test_what_rtf_can_say(body, expected):
    assert text(body) == expected


def test_code_pages():
    assert text(rb"\'cf\'f0\'e8", rb"{\rtf1\ansi\ansicpg1251") == "При"
    assert text(rb"caf\'8e", rb"{\rtf1\mac") == "café"
    fonts = rb"{\rtf1\ansi{\fonttbl{\f0\fcharset0 A;}{\f7\fcharset128 MS Gothic;}{\f8\fcharset238 B;}}"
    assert text(rb"\f7\'89\'ef\'8b\'63\f8 \'b3", fonts) == "会議ł"
    assert text(b"\\f7 \x89\xef\x8b\\'63", fonts) == "会議"  # bytes as they are, half of one escaped


def test_deep_and_broken_rtf_is_read():
    assert text(b"{" * 100_000 + b"deep") == "deep"
    assert text(rb"cut \'e") != ""
    assert text(rb"x\bin99999999999 y") == "x"
    assert text(rb"\u99999?x").endswith("x")


def test_rows_of_a_table_know_their_columns_and_empty_cells_keep_their_place():
    rows = [("Plot", "Rent", "Since"), *((str(n), str(30 + n), "" if n % 2 else "2019") for n in range(1, 50))]
    table = "".join(r"\trowd\pard\intbl " + "".join(rf"{cell}\cell " for cell in row) + r"\row " for row in rows)
    text = read_document("a.rtf", (r"{\rtf1\ansi Rents\par " + table + r"\pard End\par}").encode()).text
    lines = text.split("\n")
    assert lines[:3] == ["Rents", "", "Plot: 1; Rent: 31"]
    assert lines[47] == "Plot: 46; Rent: 76; Since: 2019"
    assert lines[-2:] == ["", "End"]
