"""Outlook's messages are read as the mail that they are."""

import struct
from datetime import UTC, datetime

import compressed_rtf
import pytest

from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import read_document
from tests.documents import samples
from tests.documents.compound import compound

EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def prefixed(storage: str, streams: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{storage}/{name}": data for name, data in streams.items()}


def fixed(*values: tuple[int, int, int], header: int) -> dict[str, bytes]:
    """A stream of properties of a fixed size: number, type, value."""
    entries = b"".join(struct.pack("<HHIQ", kind, number, 6, value) for number, kind, value in values)
    return {"__properties_version1.0": bytes(header) + entries}


def text(number: int, value: str) -> dict[str, bytes]:
    return {f"__substg1.0_{number:04X}001F": value.encode("utf-16-le")}


def person(index: int, kind: int, name: str, address: str) -> dict[str, bytes]:
    return prefixed(
        f"__recip_version1.0_#{index:08X}",
        text(0x3001, name) | text(0x39FE, address) | fixed((0x0C15, 3, kind), header=8),
    )


def sent(at: datetime = datetime(2026, 3, 2, 18, 5, tzinfo=UTC), *more: tuple[int, int, int], header: int = 32):
    return fixed((0x0039, 0x40, int((at - EPOCH).total_seconds()) * 10_000_000), *more, header=header)


def message(*parts: dict[str, bytes]) -> bytes:
    streams = text(0x0037, "The boiler") | text(0x0C1A, "Ann Ågren") | text(0x5D01, "ann@example.org") | sent()
    for part in parts:
        streams |= part
    return compound(streams)


def read(*parts: dict[str, bytes]) -> Document:
    return read_document("a.msg", message(*parts))


def test_a_message_has_its_headers_and_body():
    people = person(0, 1, "Bob", "bob@example.org") | person(1, 2, "cy@example.org", "cy@example.org")
    document = read(people, text(0x1000, "The boiler leaks – again.\r\n\r\nFrom now on we need a bucket.\r\n"))
    assert document.text == (
        "From: Ann Ågren <ann@example.org>\nTo: Bob <bob@example.org>\nCc: cy@example.org\n"
        "Date: Mon, 02 Mar 2026 18:05:00 +0000\nSubject: The boiler\n\n"
        "The boiler leaks – again.\n\nFrom now on we need a bucket."
    )
    assert document.locate(0) == "message: The boiler"
    assert document.format == "msg"


def test_the_headers_with_which_it_was_sent_come_first():
    headers = "From: Ann <ann@home.example>\r\nDate: Tue, 03 Mar 2026 07:00:00 +0100\r\n\r\n"
    lines = read(text(0x007D, headers), text(0x1000, "x")).text.split("\n")
    assert lines[:2] == ["From: Ann <ann@home.example>", "Date: Tue, 03 Mar 2026 07:00:00 +0100"]


def test_html_is_read_where_there_is_no_plain_text():
    html = {"__substg1.0_10130102": "<p>Gärtner</p>".encode("cp1252")}
    assert read(html).text.endswith("\n\nGärtner")
    stub = text(0x1000, "Your program can't show HTML.")
    assert read(html, stub).text.endswith("\n\nGärtner")


def test_compressed_rtf_is_read_where_there_is_nothing_else():
    packed = {"__substg1.0_10090102": compressed_rtf.compress(samples.rtf(), compressed=True)}
    assert "The keys are at the café" in read(packed).text
    assert "The keys" not in read(packed, text(0x1000, "plain")).text


def test_strings_of_before_unicode_are_in_the_code_page_of_the_message():
    old = {"__substg1.0_1000001E": "Привет".encode("cp1251")} | sent(
        datetime(2026, 3, 2, tzinfo=UTC), (0x3FFD, 3, 1251)
    )
    assert read(old).text.endswith("Привет")


def test_attachments_are_named_and_messages_inside_are_read():
    offer = prefixed("__attach_version1.0_#00000000", text(0x3707, "offer.pdf") | {"__substg1.0_37010102": b"%PDF"})
    logo = prefixed("__attach_version1.0_#00000001", text(0x3707, "logo.png") | fixed((0x7FFE, 11, 1), header=8))
    inner = text(0x0037, "Offers") | text(0x1000, "Cheap.") | sent(header=24)
    forwarded = prefixed("__attach_version1.0_#00000002", prefixed("__substg1.0_3701000D", inner))
    assert read(text(0x1000, "See."), offer, logo, forwarded).text.endswith(
        "The boiler\n\nSee.\n\nForwarded message:\n\nDate: Mon, 02 Mar 2026 18:05:00 +0000\nSubject: Offers\n\n"
        "Cheap.\n\nAttachments: offer.pdf"
    )


def test_messages_inside_of_messages_without_end():
    inner = text(0x1000, "deepest") | sent(header=24)
    for _ in range(30):
        inner = prefixed("__attach_version1.0_#00000000", prefixed("__substg1.0_3701000D", inner)) | sent(header=24)
    assert "deepest" not in read_document("a.msg", compound(inner)).text


def test_what_is_encrypted_says_so():
    locked = prefixed(
        "__attach_version1.0_#00000000", text(0x3707, "smime.p7m") | text(0x370E, "application/pkcs7-mime")
    )
    assert read(locked).notes == ("message: The boiler: encrypted",) or read(locked).notes == ("message: encrypted",)


@pytest.mark.parametrize("name", ["a.msg", "a.doc", "a"])
def test_its_content_says_what_it_is(name):
    assert read_document(name, message(text(0x1000, "x"))).format == "msg"


def test_a_message_that_was_cut_off():
    data = message(text(0x1000, "x" * 9000))
    with pytest.raises(Unreadable, match=r"^damaged"):
        read_document("a.msg", data[: len(data) // 2])
