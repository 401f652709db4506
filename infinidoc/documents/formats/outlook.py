"""Messages as Outlook saves them (.msg, MS-OXMSG): read as the mail that they are."""

import email
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr

import compressed_rtf
import olefile

from infinidoc.documents.charset import is_encoding
from infinidoc.documents.document import MAX_CHARACTERS, TOO_LONG, Document, Unreadable
from infinidoc.documents.formats import rtf
from infinidoc.documents.formats.mail import HEADERS, Mail

# Properties, as MS-OXPROPS numbers them.
_SUBJECT, _BODY, _HTML, _RTF, _HEADERS = 0x0037, 0x1000, 0x1013, 0x1009, 0x007D
_SENDER = (0x0C1A, (0x5D01, 0x0C1F))  # name, and address where there is one
_RECIPIENT = (0x3001, (0x39FE, 0x3003))
_RECIPIENT_KIND = 0x0C15
_KINDS = {1: "To", 2: "Cc", 3: "Bcc"}
_DISPLAYED = {"To": 0x0E04, "Cc": 0x0E03, "Bcc": 0x0E02}
_SENT, _DELIVERED = 0x0039, 0x0E06
_CODE_PAGES = (0x3FFD, 0x3FDE)  # of the message's strings, and of its HTML
_FILE_NAMES, _FILE_KIND, _IS_HIDDEN = (0x3707, 0x3704, 0x3001), 0x370E, 0x7FFE
_TEXT, _BYTES, _OBJECT = ("001F", "001E"), "0102", "__substg1.0_3701000D"
_NESTED = 10  # messages inside of messages
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)

Path = tuple[str, ...]


def read(data: bytes, format: str) -> Document:
    mail = Mail()
    with olefile.OleFileIO(data) as source:
        mail.add_message(_Outlook(source).message((), 0), "message")
    return mail.composer.document(format, notes=mail.notes)


class _Outlook:
    """Messages, attachments and recipients are storages, whose properties are streams, or entries of one stream."""

    def __init__(self, source: olefile.OleFileIO):
        self._source = source
        self._streams = {tuple(part.lower() for part in path): path for path in source.listdir()}

    def message(self, place: Path, depth: int) -> Message:
        message = MIMEMultipart("mixed")
        for name, value in self._headers(place).items():
            message[name] = value
        message.attach(self._body(place))
        for storage in self._storages(place, "__attach_version1.0_#"):
            if self._number(storage, _IS_HIDDEN) != 1:
                message.attach(self._attachment(storage, depth))
        return message

    def _headers(self, place: Path) -> dict[str, str]:
        """Those with which it was sent; what they lack, Outlook has as well."""
        sent = email.message_from_string(self._text(place, _HEADERS))
        people: dict[str, list[str]] = {}
        for storage in self._storages(place, "__recip_version1.0_#"):
            kind = _KINDS.get(self._number(storage, _RECIPIENT_KIND) or 1, "To")
            people.setdefault(kind, []).append(self._person(storage, *_RECIPIENT))
        moment = self._time(place, _SENT) or self._time(place, _DELIVERED)
        kept = {
            "From": self._person(place, *_SENDER),
            "Date": format_datetime(moment) if moment else "",
            "Subject": self._text(place, _SUBJECT),
            **{
                kind: ", ".join(filter(None, people.get(kind, []))) or self._text(place, displayed)
                for kind, displayed in _DISPLAYED.items()
            },
        }
        return {name: value for name in HEADERS if (value := str(sent.get(name) or kept[name]).strip())}

    def _person(self, place: Path, name: int, addresses: tuple[int, ...]) -> str:
        found = (self._text(place, address) for address in addresses)
        address = next((one for one in found if "@" in one), "")  # inside of a company it is no mail address
        shown = self._text(place, name)
        return formataddr((shown if shown != address else "", address)) if address.isascii() and address else shown

    def _body(self, place: Path) -> Message:
        versions = MIMEMultipart("alternative")
        plain, html = self._text(place, _BODY), self._html(place)
        if not plain and not html and (packed := self._read(place, f"{_RTF:04X}{_BYTES}")):
            if int.from_bytes(packed[4:8], "little") > MAX_CHARACTERS:
                raise Unreadable(TOO_LONG)
            plain = rtf.read(compressed_rtf.decompress(packed), "rtf").text
        for text, kind in ((plain, "plain"), (html, "html")):
            if text:
                versions.attach(MIMEText(text.encode("utf-8", "replace").decode(), kind, "utf-8"))
        return versions

    def _html(self, place: Path) -> str:
        data = self._read(place, f"{_HTML:04X}{_BYTES}")
        return data.decode(self._code_page(place, _CODE_PAGES[::-1]), "replace") if data else self._text(place, _HTML)

    def _attachment(self, place: Path, depth: int) -> Message:
        if (*place, _OBJECT.lower(), "__properties_version1.0") in self._streams:
            part: Message = (
                MIMEMessage(self.message((*place, _OBJECT.lower()), depth + 1))
                if depth < _NESTED
                else MIMEBase("message", "rfc822")
            )
            return part
        kind = re.fullmatch(r"([\w.+-]{1,80})/([\w.+-]{1,80})", self._text(place, _FILE_KIND))
        part = MIMEBase(*(kind.groups() if kind else ("application", "octet-stream")))
        name = next(filter(None, (self._text(place, name) for name in _FILE_NAMES)), "")
        part.add_header("Content-Disposition", "attachment", filename=" ".join(name.split()))
        return part

    # Properties

    def _storages(self, place: Path, beginning: str) -> Iterator[Path]:
        depth = len(place)
        yield from dict.fromkeys(
            path[: depth + 1] for path in self._streams if path[:depth] == place and path[depth].startswith(beginning)
        )

    def _read(self, place: Path, name: str) -> bytes:
        path = self._streams.get((*place, f"__substg1.0_{name}".lower()))
        return self._source.openstream(path).read() if path else b""

    def _text(self, place: Path, number: int) -> str:
        if data := self._read(place, f"{number:04X}{_TEXT[0]}"):
            return data.decode("utf-16-le", "replace").rstrip("\0")
        return (
            self._read(place, f"{number:04X}{_TEXT[1]}")
            .decode(self._code_page((), _CODE_PAGES), "replace")
            .rstrip("\0")
        )

    def _code_page(self, place: Path, numbers: tuple[int, ...]) -> str:
        for number in numbers:
            page = self._number(place, number)
            name = {65001: "utf-8", 20127: "ascii", 20866: "koi8-r", 28605: "iso8859-15"}.get(page or 0, f"cp{page}")
            if 28591 <= (page or 0) <= 28599:
                name = f"iso8859-{(page or 0) - 28590}"
            if page and is_encoding(name):
                return name
        return "cp1252"

    def _number(self, place: Path, number: int) -> int | None:
        found = self._entry(place, number)
        return None if found is None else int.from_bytes(found[:4], "little")

    def _time(self, place: Path, number: int) -> datetime | None:
        found = int.from_bytes(self._entry(place, number) or b"", "little")
        return _EPOCH + timedelta(microseconds=found // 10) if 0 < found < 1 << 61 else None

    def _entry(self, place: Path, number: int) -> bytes | None:
        """The eight bytes of a property that has a fixed size."""
        path = self._streams.get((*place, "__properties_version1.0"))
        data = self._source.openstream(path).read() if path else b""
        # Entries of 16 bytes after a header, whose size depends on what the properties are those of.
        for start in range(len(data) % 16, len(data) - 15, 16):
            if int.from_bytes(data[start + 2 : start + 4], "little") == number:
                return data[start + 8 : start + 16]
        return None
