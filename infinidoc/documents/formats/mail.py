"""Mail: single messages (eml) and whole mailboxes (mbox)."""

import email
import re
from email.message import EmailMessage
from email.policy import default

from infinidoc.documents.charset import decode
from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import html
from infinidoc.documents.formats.composer import Composer

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_ENVELOPE = re.compile(rb"^From [^\n]*\d\d:\d\d[^\n]*\n", re.M)  # with a time, or it may be a sentence
_ESCAPED = re.compile(rb"^>(>*From )", re.M)


def read(data: bytes, format: str) -> Document:
    composer = Composer()
    if format == "mbox":
        messages = _ENVELOPE.split(data.replace(b"\r\n", b"\n"))[1:]
        if not messages:
            raise Unreadable("damaged, or not really .mbox")
        for number, message in enumerate(messages, 1):
            _add(composer, _ESCAPED.sub(rb"\1", message), f"message {number}")
    else:
        _add(composer, data, "message")
    return composer.document(format)


def _add(composer: Composer, data: bytes, label: str) -> None:
    message = email.message_from_bytes(data, policy=default)
    headers = {name: _header(message, name) for name in _HEADERS}
    if not any(headers.values()) and "MIME-Version" not in message and label == "message":
        raise Unreadable("damaged, or not really .eml")
    composer.mark(f"{label}: {headers['Subject']}" if headers["Subject"] else label, breaks=True)
    composer.add("\n".join(f"{name}: {value}" for name, value in headers.items() if value))
    try:
        composer.add(_body(message))
        if names := [name for part in message.walk() if (name := part.get_filename())]:
            composer.add(f"Attachments: {', '.join(names)}")
    except Exception:  # a part that is no text, or malformed; the headers, and the other messages, remain
        return


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message[name] or "").split())
    except Exception:  # as above: a header is only parsed when it is asked for
        return ""


def _body(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    payload = part.get_payload(decode=True)
    text = decode(payload, part.get_content_charset()) if isinstance(payload, bytes) and payload else ""
    if part.get_content_subtype() == "html":
        _, blocks = html.page(text.encode())
        return "".join(block.gap + block.text for block in blocks)
    text = text.replace("\r\n", "\n")
    return text.replace(" \n", " ") if part.get_param("format") == "flowed" else text
