"""Mail as programs write it: the part that holds the content, once; and where messages of a mailbox begin."""

from email.message import EmailMessage

import pytest

from infinidoc.documents.document import Document
from infinidoc.documents.formats import read_document
from tests.documents import samples

PARCEL = "<h1>Your parcel</h1><p>Parcel <b>7C-4410</b> waits at locker 19 until 6 June.</p><p>Code: 5528.</p>"


def mail(plain: str | None = None, html: str | None = None, subject: str = "x") -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    if plain is not None:
        message.set_content(plain)
        if html is not None:
            message.add_alternative(html, subtype="html")
    elif html is not None:
        message.set_content(html, subtype="html")
    return message


def read(message: EmailMessage | bytes) -> Document:
    return read_document("a.eml", message if isinstance(message, bytes) else message.as_bytes())


def body(message: EmailMessage | bytes) -> str:
    return read(message).text.split("\n\n", 1)[1]


# Which version holds the content


@pytest.mark.parametrize(
    "stub",
    [
        " \n\n",
        "\u200b\u00a0\n",
        "This message can't be displayed as plain text. Please open it in a browser.",
        "Your e-mail client doesn't support HTML messages, which this is one of. To see all that we wanted to tell you "
        "please view this message online at https://example.org/view?id=1234567890 or change to another client.",
        "https://example.org/parcels/7C-4410",
        "[image: logo]",
    ],
)
def test_a_stub_is_no_content(stub):
    assert body(mail(stub, PARCEL)) == "Your parcel\n\nParcel 7C-4410 waits at locker 19 until 6 June.\n\nCode: 5528."


def test_a_plain_version_that_breaks_off_is_no_content():
    sentences = [f"The {word} room is cleaned on day {n}." for n, word in enumerate(["red", "blue", "green", "grey"])]
    shown = body(mail(sentences[0] + " Read on: https://example.org", "".join(f"<p>{s}</p>" for s in sentences)))
    assert shown == "\n\n".join(sentences)


@pytest.mark.parametrize(
    ("plain", "html"),
    [
        ("The hedge is cut on Friday.\n", "<p>The hedge is cut on <b>Friday</b>.</p>"),
        ("The hedge is cut on Friday.\n", "<p></p>"),
        ("The hedge is cut on Friday.\n", "<img src='cid:1'>"),
        ("The hedge is cut on Friday.\n", "<style>p {color: red}</style><p>The hedge is cut on Friday.</p>"),
    ],
)
def test_plain_text_that_holds_the_content_is_preferred_and_shown_once(plain, html):
    assert body(mail(plain, html)) == "The hedge is cut on Friday."


def test_versions_inside_of_versions():
    """Apple Mail: beside the plain version one that is mixed with a file; and pictures that belong to a page."""
    outer = mail("Please open in a browser.")
    outer.add_alternative(PARCEL, subtype="html")
    page = outer.get_payload()[1]
    page.add_related(b"GIF", maintype="image", subtype="gif", filename="dot.gif")
    outer.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="Rückgabe.pdf")
    text = read(outer).text
    assert text.count("locker 19") == 1
    assert text.endswith("Attachments: dot.gif, Rückgabe.pdf")
    assert "browser" not in text


# Encodings


@pytest.mark.parametrize(
    ("declared", "real"),
    [
        ("utf-8", "latin-1"),
        ("us-ascii", "utf-8"),
        ("us-ascii", "cp1252"),
        ("iso-8859-1", "utf-8"),
        ("iso-8859-1", "cp1252"),
        ("no-such-charset", "utf-8"),
        ("utf-16", "utf-8"),
    ],
)
@pytest.mark.parametrize("coding", ["8bit", "base64", "quoted-printable"])
def test_charsets_that_are_wrong(declared, real, coding):
    import base64
    import quopri

    content = "Das Café Zoë öffnet um neun.\n".encode(real)
    coded = {"8bit": content, "base64": base64.encodebytes(content), "quoted-printable": quopri.encodestring(content)}
    head = f"Subject: x\nContent-Type: text/plain; charset={declared}\nContent-Transfer-Encoding: {coding}\n\n"
    assert body(head.encode() + coded[coding]) == "Das Café Zoë öffnet um neun."


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("gb2312", "请测试：镕"),
        ("shift_jis", "①番の会議室"),
        ("iso-2022-jp", "会議室の予約"),
        ("ks_c_5601-1987", "회의실 예약"),
        ("windows-1251", "Ключ у дворника"),
    ],
)
def test_charsets_that_hold_more_than_their_name_says(charset, text):
    wider = {"gb2312": "gb18030", "shift_jis": "cp932", "ks_c_5601-1987": "cp949"}.get(charset, charset)
    data = f"Subject: x\nContent-Type: text/plain; charset={charset}\n\n".encode() + text.encode(wider)
    assert body(data) == text


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (b"=?utf-8?q?Caf=C3=A9_um_neun?=", "Café um neun"),
        (b"=?utf-8?B?Q2Fmw6k=?= =?utf-8?B?IHVtIG5ldW4=?=", "Café um neun"),
        (b"=?utf-8?B?Q2Fmww==?=\n =?utf-8?B?qSB1bSBuZXVu?=", "Café um neun"),  # cut between the bytes of a letter
        (b"=?iso-8859-1?Q?Caf=E9?= um\n\tneun", "Café um neun"),
        ("Café um neun".encode(), "Café um neun"),
        ("Café um neun".encode("latin-1"), "Café um neun"),
        (b"=?utf-8?B?broken", "=?utf-8?B?broken"),
        (b"=?nonsense?Q?Caf=C3=A9?=", "Café"),
        (b"one\n two\n\tthree", "one two three"),
    ],
)
def test_subjects(raw, subject):
    document = read(b"From: a@example.org\nSubject: " + raw + b"\n\nx\n")
    assert document.text == f"From: a@example.org\nSubject: {subject}\n\nx"
    assert document.locate(0) == f"message: {subject}"


def test_names_in_addresses():
    data = b'From: =?utf-8?q?Ann_=C3=85gren?= <ann@example.org>\nTo: "Doe, J=?=" <j@example.org>,\n bob@example\n\nx'
    assert read(data).text.startswith('From: Ann Ågren <ann@example.org>\nTo: "Doe, J=?=" <j@example.org>, bob@example')


# Parts


def test_a_message_that_was_forwarded_as_a_file_is_read():
    inner = mail("The key is under the third pot.", subject="Key")
    inner.add_attachment(b"x", maintype="image", subtype="png", filename="pot.png")
    outer = mail("See below.", subject="Fwd")
    outer.add_attachment(inner)
    assert read(outer).text == (
        "Subject: Fwd\n\nSee below.\n\nForwarded message:\n\nSubject: Key\n\nThe key is under the third pot.\n\n"
        "Attachments: pot.png"
    )


def test_messages_inside_of_messages_without_end():
    data = b"Subject: x\nContent-Type: message/rfc822\n\n" * 3000 + b"Subject: y\n\nz"
    assert read(data).text.startswith("Subject: x")


def test_names_of_files_and_what_outlook_packs():
    message = mail("See attached.")
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="Mietvertrag – März.pdf")
    message.add_attachment("a,b\n", subtype="csv", filename="list.csv")
    message.add_attachment(b'x\x9f>"', maintype="application", subtype="ms-tnef", filename="winmail.dat")
    document = read(message)
    assert document.text.endswith("See attached.\n\nAttachments: Mietvertrag – März.pdf, list.csv, winmail.dat")
    assert document.notes == ("message: what Outlook packed into winmail.dat was not read",)


def test_an_invitation_says_when_and_where():
    event = (
        "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nDTSTART:19700101T000000\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\n"
        "SUMMARY:Chimney\\, swept\r\nDTSTART;TZID=Europe/London:20261014T080000\r\nDTEND:20261014T100000Z\r\n"
        "BEGIN:VALARM\r\nDESCRIPTION:alarm\r\nEND:VALARM\r\nLOCATION:Ferry La\r\n ne 3\r\nEND:VEVENT\r\n"
    )
    message = mail("You are invited.", "<p>You are invited.</p>")
    message.add_alternative(event, subtype="calendar")
    assert body(message) == (
        "You are invited.\n\nEvent: Chimney, swept\nBegins: 2026-10-14 08:00 Europe/London\n"
        "Ends: 2026-10-14 10:00 UTC\nWhere: Ferry Lane 3"
    )


def test_parts_that_are_not_where_the_headers_say():
    for boundary in (b"", b"; boundary=other"):
        data = b"Subject: x\nContent-Type: multipart/mixed" + boundary + b"\n\n--b\n\nThe key is here.\n--b--\n"
        assert "The key is here." in read(data).text
    cut = b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nThe key is he"
    assert read(cut).text.endswith("The key is he")


def test_what_cannot_be_read_is_noted():
    bad = b"Subject: bad\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\nAAECAwQF\n"
    assert read(bad).notes == ("message: a part of it can't be read",)
    closed = b"Subject: closed\nContent-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n"
    assert read(closed).notes == ("message: encrypted",)
    assert read(mail("fine")).notes == ()


@pytest.mark.parametrize(
    ("parameters", "text", "shown"),
    [
        ("format=flowed", "This \nflows.\nThis not.\n-- \nAnn\n", "This flows.\nThis not.\n-- \nAnn"),
        ("format=flowed; delsp=yes", "会議 \n室\n", "会議室"),
        ("Format=Flowed", "> quoted \n> too\n From here\n", "> quoted \n> too\nFrom here"),
    ],
)
def test_flowed_text(parameters, text, shown):
    assert body(f"Subject: x\nContent-Type: text/plain; charset=utf-8; {parameters}\n\n{text}".encode()) == shown


# Mailboxes

ENVELOPE = b"From ann@example.org Mon Mar  2 18:05:00 2026\n"


def box(*messages: bytes) -> Document:
    return read_document("a.mbox", b"\n".join(ENVELOPE + message for message in messages))


@pytest.mark.parametrize(
    "line",
    [
        b"From 10:30 to 12:00 the chess club has the hall.\nBring: your own board.",
        b"From April on the heating is off.\nNote: bring a coat.",
        b"From Monday, 2 March, 10:30, to Friday 2026.\nBring: x",
        b"From Mon to Fri at 10:30 in 2026\nBring: x",
        b">From 10:30",
        b"From ann@example.org Mon Mar  2 18:05:00 2026 is what an envelope looks like, she said.",
    ],
)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_lines_that_begin_with_from_are_text(line, newline):
    first = b"Subject: one\n\nDear all,\n\n" + line + b"\n\nBye.\n"
    data = (ENVELOPE + first + b"\n" + ENVELOPE + b"Subject: two\n\nx\n").replace(b"\n", newline)
    document = read_document("a.mbox", data)
    assert [mark.label for mark in document.marks] == ["message 1: one", "message 2: two"]
    assert f"Dear all,\n\n{line.decode().removeprefix('>')}\n\nBye." in document.text


@pytest.mark.parametrize(
    "envelope",
    [
        b"From - Mon Mar  2 18:05:00 2026",
        b"From 17812345@xxx Mon Mar 02 18:05:00 +0000 2026",
        b"From ann@example.org Mon, 2 Mar 2026 18:05:00 +0000",
        b"From MAILER-DAEMON Mon Mar  2 18:05 2026",
        b"From ann at example.org  Mon Mar  2 18:05:00 2026",
        b"From ann@example.org Mon Mar  2 18:05:00 GMT 2026",
    ],
)
def test_envelopes(envelope):
    data = b"\n\n".join(
        [envelope + b"\nSubject: one\n\na", envelope + b"\nSubject: two\n\nb", envelope + b"\nTo: c\n\nc"]
    )
    assert [mark.label for mark in read_document("a.mbox", data).marks] == [
        "message 1: one",
        "message 2: two",
        "message 3",
    ]


def test_a_message_that_states_its_length_holds_whole_messages():
    quoted = b"As I said:\n\n" + ENVELOPE + b"Subject: quoted\n\nIt begins at nine.\n"
    stated = b"Subject: one\nContent-Length: %d\n\n" % len(quoted) + quoted
    assert [mark.label for mark in box(stated, b"Subject: two\n\nx\n").marks] == ["message 1: one", "message 2: two"]
    for wrong in (b"3", b"99999", b"0"):
        found = box(b"Subject: one\nContent-Length: " + wrong + b"\n\nbody\n", b"Subject: two\n\nx\n")
        assert [mark.label for mark in found.marks] == ["message 1: one", "message 2: two"]
        assert "body" in found.text


def test_deleted_messages_are_not_shown():
    found = box(b"X-Mozilla-Status: 0009\nSubject: gone\n\nsecret\n", b"X-Mozilla-Status: 0001\nSubject: here\n\nx\n")
    assert found.text == "Subject: here\n\nx"


def test_old_newlines_and_what_stands_before_the_headers():
    data = ENVELOPE + b"Subject: one\n\na\n\n" + ENVELOPE + b"Subject: two\n\nb\n"
    assert len(read_document("a.mbox", data.replace(b"\n", b"\r")).marks) == 2
    assert read(b"\xef\xbb\xbf\r\nSubject: x\r\n\r\ny\r\n").text == "Subject: x\n\ny"


def test_a_mailbox_of_a_single_message_without_envelope():
    assert read_document("a.mbox", samples.message().as_bytes()).text.startswith("From: Ann")
