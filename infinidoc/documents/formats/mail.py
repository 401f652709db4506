"""Mail: single messages (eml) and whole mailboxes (mbox)."""

import codecs
import email
import re
from collections.abc import Iterator
from email.header import decode_header
from email.message import Message
from email.policy import default

from infinidoc.documents.charset import decode
from infinidoc.documents.document import Document, Unreadable
from infinidoc.documents.formats import html
from infinidoc.documents.formats.composer import Composer

HEADERS = ("From", "To", "Cc", "Bcc", "Date", "Subject")
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
# What begins a message of a mailbox: an address and a date after a blank line, then a header. Sentences in bodies begin
# with "From" too, and with times.
_ENVELOPE = re.compile(
    rb"(?:\A\s*|(?<=\n\n)|(?<=\n\r\n))From (?:[^\n]{1,300} )?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +"
    rb"(?:" + _MONTH + rb" +\d{1,2}|\d{1,2} +" + _MONTH + rb"(?: +\d{4})?) +\d{1,2}:\d\d[^\n]{0,60}\n"
    rb"(?=>?[!-9;-~]+[ \t]*:|>From )"
)
_LENGTH = re.compile(rb"^Content-Length:[ \t]*(\d{1,12})", re.I | re.M)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_ESCAPED = re.compile(rb"^>(>*From )", re.M)
_DELETED = re.compile(rb"^X-Mozilla-Status:[ \t]*[0-9a-f]{3}[89a-f]", re.I | re.M)  # until the folder is compacted

_STUB = re.compile(
    r"\bhtml\b|\bbrowsers?\b|\bplain.?text\b|\be-?mail (?:client|program)|\bview (?:this|it|online)", re.I
)
_EVENT = {"SUMMARY": "Event", "DTSTART": "Begins", "DTEND": "Ends", "LOCATION": "Where", "DESCRIPTION": "About"}
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z?))?")
_NESTED = 10  # messages inside of messages


def read(data: bytes, format: str) -> Document:
    mail = Mail()
    data = data.removeprefix(codecs.BOM_UTF8).lstrip()
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    messages = list(_messages(data)) if format == "mbox" else []
    for number, message in enumerate(messages, 1):
        if not _DELETED.search(message[: _head(message)]):
            mail.add(message, f"message {number}")
    if not messages:
        mail.add(data, "message")
        if not mail.has_headers:
            raise Unreadable(f"damaged, or not really .{format}")
    return mail.composer.document(format, notes=mail.notes)


def _messages(data: bytes) -> Iterator[bytes]:
    """The messages of a mailbox, without their envelopes."""
    envelope = _ENVELOPE.search(data)
    while envelope:
        start = envelope.end()
        end = start + _stated_length(data, start)
        following = _ENVELOPE.search(data, end)
        stop = following.start() if following else len(data)
        if end > len(data) or data[end:stop].strip():  # the length is wrong, or there is none
            following = _ENVELOPE.search(data, start)
            stop = following.start() if following else len(data)
        yield _ESCAPED.sub(rb"\1", data[start:stop])
        envelope = following


def _stated_length(data: bytes, start: int) -> int:
    """The size of a message by its Content-Length, with which some mailboxes escape no "From"; 0 without one."""
    head = _head(data, start)
    stated = _LENGTH.search(data, start, head)
    return head - start + int(stated[1]) if stated else 0


def _head(data: bytes, start: int = 0) -> int:
    """Where the body of a message begins."""
    blank = _BLANK_LINE.search(data, start)
    return blank.end() if blank else len(data)


class Mail:
    """Messages become a document, one after the other."""

    def __init__(self) -> None:
        self.composer = Composer()
        self.notes: list[str] = []
        self.has_headers = False
        self.label = ""

    def add(self, data: bytes, label: str) -> None:
        try:
            message = email.message_from_bytes(data, policy=default)
            is_whole = True
        except RecursionError:
            message = email.message_from_bytes(data[: _head(data)], policy=default)
            is_whole = False
        self.add_message(message, label)
        if not is_whole:
            self._note("messages inside of messages, too many to read")

    def add_message(self, message: Message, label: str) -> None:
        self.label = label
        subject = _header(message, "Subject")
        self.has_headers |= any(name in message for name in (*HEADERS, "MIME-Version"))
        self.composer.mark(f"{label}: {subject}" if subject else label, breaks=True)
        for block in self._message(message):
            self.composer.add(block)

    def _message(self, message: Message, depth: int = 0) -> Iterator[str]:
        headers = {name: _header(message, name) for name in HEADERS}
        yield "\n".join(f"{name}: {value}" for name, value in headers.items() if value)
        attachments: dict[str, None] = {}
        yield from self._part(message, attachments, depth)
        if attachments:
            yield f"Attachments: {', '.join(attachments)}"

    def _part(self, part: Message, attachments: dict[str, None], depth: int) -> Iterator[str]:
        """The text of a part and of those inside of it; names of files go into `attachments`."""
        kind = part.get_content_type()
        name = _filename(part)
        if name:
            attachments[name] = None
        if kind == "application/ms-tnef":
            self._note(f"what Outlook packed into {name or 'winmail.dat'} was not read")
        elif kind in ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"):
            self._note("encrypted")
        elif kind == "message/rfc822" and depth < _NESTED:
            for message in _parts(part):
                yield "Forwarded message:"
                yield from self._message(message, depth + 1)
        elif kind == "multipart/alternative":
            yield from self._best(_parts(part), attachments, depth)
        elif part.is_multipart() and kind != "message/delivery-status":
            for inner in _parts(part):
                yield from self._part(inner, attachments, depth)
        elif part.get_content_maintype() in ("text", "multipart") and part.get_content_disposition() != "attachment":
            yield self._text(part)

    def _best(self, versions: list[Message], attachments: dict[str, None], depth: int) -> Iterator[str]:
        """The version with the content: the plain one, unless it is a stub beside the one that people are shown."""
        texts = dict.fromkeys(("text/plain", "other", "text/calendar"), "")
        for version in versions:
            text = "\n\n".join(block for block in self._part(version, attachments, depth) if block.strip())
            kind = version.get_content_type()
            which = kind if kind in ("text/plain", "text/calendar") else "other"
            texts[which] = text or texts.get(which, "")  # the last is the best
        yield texts["text/plain"] if _holds(texts["text/plain"], texts["other"]) else texts["other"]
        yield texts["text/calendar"]

    def _text(self, part: Message) -> str:
        try:
            payload = part.get_payload(decode=True)
            text = decode(payload, part.get_content_charset()) if isinstance(payload, bytes) and payload else ""
            if part.get_content_subtype() == "html":
                _, blocks = html.page(text.encode("utf-8", "replace"))
                return "".join(block.gap + block.text for block in blocks).strip("\n")
        except Exception:  # malformed in any way; the headers, and the other parts and messages, remain
            self._note("a part of it can't be read")
            return ""
        text = text.replace("\r\n", "\n")
        if part.get_content_subtype() == "calendar":
            return _event(text)
        if str(part.get_param("format", "")).lower() == "flowed":
            return _unwrapped(text, joint="" if str(part.get_param("delsp", "")).lower() == "yes" else " ")
        return text

    def _note(self, what: str) -> None:
        note = f"{self.label}: {what}"
        if note not in self.notes:
            self.notes.append(note)


def _parts(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [inner for inner in payload if isinstance(inner, Message)] if isinstance(payload, list) else []


def _holds(plain: str, other: str) -> bool:
    """Whether the plain version of a text says what the other one does."""
    shown, words = (set(re.findall(r"\w+", text.lower())) for text in (other, plain))
    if len(shown & words) >= 0.95 * len(shown):
        return bool(words) or not shown
    return len(words) > 2 * len(shown) and not _STUB.search(plain)


def _header(message: Message, name: str) -> str:
    """A header as it is meant: unfolded, its encoded words decoded; bytes that it shouldn't have are guessed at."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name.lower()), "")
    text = raw
    try:
        text = " ".join(decode(raw.encode("utf-8", "surrogateescape")).split()) if raw else ""
        # Words that follow each other are decoded together: some programs cut between the bytes of a letter.
        words = decode_header(text)
        text = "".join(part if isinstance(part, str) else decode(part, charset) for part, charset in words if part)
    except (ValueError, Unreadable):
        pass
    return " ".join(text.split())


def _filename(part: Message) -> str:
    try:
        return part.get_filename() or ""
    except Exception:  # malformed parameters
        return ""


def _event(text: str) -> str:
    """What a calendar shows of an invitation."""
    found: dict[str, str] = {}
    inside = ""
    for line in re.sub(r"\n[ \t]", "", text).split("\n"):
        head, _, value = line.strip().partition(":")
        name, _, parameters = head.upper().partition(";")
        if name in ("BEGIN", "END"):
            inside = value.upper() if name == "BEGIN" else "VEVENT"  # an alarm ends, and the event goes on
        elif inside == "VEVENT" and name in _EVENT and name not in found and value:
            time = _TIME.fullmatch(value)
            if time:
                year, month, day, hour, minute, utc = time.groups()
                zone = " UTC" if utc else f" {head.partition('TZID=')[2]}" if "TZID=" in parameters else ""
                value = f"{year}-{month}-{day}" + (f" {hour}:{minute}{zone}" if hour else "")
            found[name] = re.sub(r"\\([,;\\])", r"\1", value.replace("\\n", "\n").replace("\\N", "\n"))
    return "\n".join(f"{shown}: {found[name]}" for name, shown in _EVENT.items() if name in found)


def _unwrapped(text: str, joint: str) -> str:
    """The paragraphs of format=flowed (RFC 3676): a line that ends in a space goes on in the next."""
    lines: list[str] = []
    flows = False
    for line in text.split("\n"):
        quoted = line.startswith(">")
        line = line if quoted else line.removeprefix(" ")  # which was put before lines that look quoted
        if flows and not quoted:
            lines[-1] = lines[-1].removesuffix(" ") + joint + line
        else:
            lines.append(line)
        flows = line.endswith(" ") and line != "-- " and not quoted
    return "\n".join(lines)
