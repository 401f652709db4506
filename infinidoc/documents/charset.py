"""Bytes to clean text: which encoding they are in, and what no tokeniser or database should ever meet."""

import codecs
import re
import string
import unicodedata

from infinidoc.documents.document import Unreadable
from infinidoc.documents.guessing import everyday_share, guess_encoding, oddity

_SAMPLE = 1 << 16  # bytes that tell text from binary files
_GUESSED = 1 << 14  # bytes; what a guess at the encoding of bytes that aren't UTF-8 is based on
_SHORTEST_FILE = 40  # characters of a data: URI
_STRANGE = 0.3  # oddity, from 0 to 1, of a line that isn't in the encoding that others are in
_RARE = 0.02  # the share of characters that may be odd in something that is still text

_BOMS = [
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose BOM it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
# What files are in that claim to be in another encoding: one that holds more. Latin-1, for one, has control characters
# where Windows-1252 has quotes.
_MEANT = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}

# Control bytes that texts don't have. Tab, newlines, form feed and escape (terminal logs, ISO-2022) are not among them.
_CONTROL_BYTES = bytes([*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F])

# Odd bytes where one-byte encodings have letters, quotes and dashes; not those that mostly begin UTF-8 sequences.
_WORDS_WITH_BYTES = re.compile(rb"[A-Za-z ][\x80-\xc1\xc4-\xfe]{1,2}[A-Za-z .,;:!?)]|[A-Za-z][\x80-\xc1\xc4-\xfe]\r?$")

_LATIN = (string.ascii_letters + " ").encode()

# Scripts from Latin to Arabic, punctuation, Chinese, Japanese, Korean: what bytes that are no UTF-16 seldom hit upon.
_COMMON = re.compile("[\t\n\r -~\xa0-\u06ff\u2000-\u22ff\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uffef]+")

# Pictures and other files written into a text: there is nothing to read in them. They may go on over many lines.
_DATA_URI = re.compile(
    r"(?<!\w)data:([\w.+-]{1,40}/[\w.+-]{1,80})?(?:;[\w.=+-]{1,80}){0,5}(?:"
    r";base64,[ ]?[A-Za-z0-9+/=_%-]*(?:[ \t]{0,40}\n[ \t]{0,40}[A-Za-z0-9+/_-]{50,200}={0,2}(?![A-Za-z0-9+/_-]))*"
    r"(?:[ \t]{0,40}\n[ \t]{0,40}(?:[A-Za-z0-9+/_-]{0,200}={1,2}|[A-Za-z0-9+/_-]{1,200}(?=\s{0,9}[)\"'>])))?"
    r"|,[^\s\"'()<>]{100,})"
)
_BASE64 = re.compile(
    r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/]{256,}={0,2}(?![A-Za-z0-9+/=_-])"
    r"|^[A-Za-z0-9+/]{60,76}\n(?:[A-Za-z0-9+/]{60,76}\n){5,}(?:[A-Za-z0-9+/]{1,76}={0,2}$)?",
    re.M,
)
_IDEOGRAPHS = re.compile("[\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uff60]{2,}")
_EVERYDAY_SHARE = 0.4

_ANSI_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")

# Letters match however they are composed. What looks alike becomes the same: spaces of all widths; characters that are
# drawn as nothing (soft hyphens, zero-width spaces, marks of direction) go; ligatures, Arabic letters in the shape that
# a place in a word gives them, and full-width letters and digits become the plain ones.
_SPACES = re.compile("[\xa0\u2000-\u200a\u2028\u2029\u202f\u205f]")
_INVISIBLE = re.compile("[\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]")
_VARIANTS = re.compile("[\ufb00-\ufb06\ufb50-\ufdff\ufe70-\ufefc\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")


def clean(text: str) -> str:
    """Text as it is kept and compared, whatever it came from: documents, questions, file names.

    `\\n` at every line's end and all lines kept; composed letters (NFC) and plain spaces; no control characters, no
    unpaired surrogates, nothing invisible; of files that were written into it (data: URIs, base64) only their kind.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > _SHORTEST_FILE:
        text = _BASE64.sub(_without_base64, _DATA_URI.sub(_without_data, text))
    text = _CONTROLS.sub(" ", _ANSI_COLOUR.sub("", text))
    if text.isascii():
        return text
    text = _INVISIBLE.sub("", _SPACES.sub(" ", _SURROGATES.sub("\ufffd", text)))
    return unicodedata.normalize("NFC", _VARIANTS.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text))


def _without_data(match: re.Match[str]) -> str:
    return f"data:{match[1] or ''}" + "\n" * match[0].count("\n")


def _without_base64(match: re.Match[str]) -> str:
    found = match[0]
    if not all(re.search(kind, found) for kind in ("[A-Z]", "[a-z]", "[0-9]")):  # a sequence of genes, a row of x
        return found
    return f"(base64, {len(found):,} characters)" + "\n" * found.count("\n")


def is_encoding(name: str) -> bool:
    """Whether a name that a file gives is that of an encoding of text that can be decoded here."""
    try:
        b" ".decode(name, "replace")
    except (LookupError, ValueError):
        return False
    return True


def looks_binary(head: bytes) -> bool:
    """Whether a file that begins with these bytes is no text in any encoding. A few kilobytes are enough."""
    head = head[:_SAMPLE]
    if any(head.startswith(bom) for bom, _ in _BOMS):
        return False
    if b"\0" in head:
        return (_utf16_ideographs(head) or _utf16_without_bom(head)) is None
    controls = len(head) - len(head.translate(None, _CONTROL_BYTES))
    return controls > _RARE * len(head) and _utf16_ideographs(head) is None


def decode(data: bytes, declared: str | None = None) -> str:
    """The text of a file. `declared` is the encoding it claims to be in; valid UTF-8 is believed before that.

    Raises Unreadable if it is no text.
    """
    if looks_binary(data):
        raise Unreadable("binary file")
    text = _decode(data, declared)
    if "\0" in text:
        raise Unreadable("binary file")
    return text


def _decode(data: bytes, declared: str | None) -> str:
    for bom, codec in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(codec, "replace")
    if b"\0" in data[:_SAMPLE]:
        head = data[:_SAMPLE]
        return data.decode(_utf16_ideographs(head) or _utf16_without_bom(head) or "utf-8", "replace")
    for codec in (["iso2022_jp_2"] if b"\x1b$" in data else []) + ["utf-8"]:
        try:
            return data.decode(codec)
        except UnicodeDecodeError:
            pass
    if utf16 := _utf16_ideographs(data[:_SAMPLE]):
        return data.decode(utf16, "replace")
    if b"\xed" in data and (text := _strictly(data, "utf-8", "surrogatepass")) is not None:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # as Java and Windows write emoji
    if declared and is_encoding(declared):
        name = codecs.lookup(declared).name
        try:
            return data.decode(_MEANT.get(name, name))
        except ValueError:
            pass
    return _decode_by_line(data)


def _decode_by_line(data: bytes) -> str:
    """Text whose lines aren't all UTF-8: those that aren't are in another encoding, wherever in the file they come.

    Where the rest is UTF-8, odd bytes that don't look like letters of another encoding are damage.
    """
    lines = data.split(b"\n")
    decoded = [_strictly(line, "utf-8") for line in lines]
    odd = [line for line, text in zip(lines, decoded, strict=True) if text is None]
    good = sum(text is not None and not text.isascii() for text in decoded)
    sample = _sample(odd)
    encoding = guess_encoding(sample)
    if 20 * good < len(odd) and oddity(sample, encoding) < _STRANGE:  # some lines are valid UTF-8 by chance
        return data.decode(encoding, "replace")
    damaged = good >= len(odd)
    return "\n".join(
        _odd_line(line, encoding, damaged) if text is None else text for line, text in zip(lines, decoded, strict=True)
    )


def _odd_line(line: bytes, encoding: str, damaged: bool) -> str:
    text = line.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    good = len(text) - len(text.encode("ascii", "ignore")) - bad
    # A damaged line still has more good sequences than bad ones; in other encodings few are good.
    if (good and good >= bad) or (damaged and not _WORDS_WITH_BYTES.search(line)):
        return text
    if oddity(line[:_GUESSED], encoding) > _STRANGE:  # a line in an encoding of its own
        encoding = guess_encoding(line[:_GUESSED])
    return line.decode(encoding, "replace")


def _strictly(line: bytes, encoding: str, errors: str = "strict") -> str | None:
    try:
        return line.decode(encoding, errors)
    except UnicodeDecodeError:
        return None


def _sample(lines: list[bytes]) -> bytes:
    """As many whole lines as a guess needs; of a single longer one the beginning, up to a space."""
    sample = bytearray()
    for line in lines:
        if sample and len(sample) + len(line) > _GUESSED:
            break
        sample += line[: line.rfind(b" ", 0, _GUESSED) + 1 or _GUESSED] if len(line) > _GUESSED else line
        sample += b"\n"
    return bytes(sample)


def _utf16_without_bom(data: bytes) -> str | None:
    """utf-16-le or -be, if the bytes make sense in it: there, Latin letters, spaces and newlines hold a zero byte."""
    head = data[:_SAMPLE]
    if len(head) - len(head.translate(None, _LATIN)) > 0.6 * len(head):
        return None  # pairs of Latin letters look like Chinese characters
    codec = "utf-16-le" if head[1::2].count(0) >= head[::2].count(0) else "utf-16-be"
    try:
        text = codecs.getincrementaldecoder(codec)().decode(head)  # incremental: the sample may end inside a character
    except UnicodeDecodeError:
        return None
    return codec if text and len(_COMMON.sub("", text)) <= _RARE * len(text) else None


def _utf16_ideographs(data: bytes) -> str | None:
    """The same for a line without any Latin letter or space: nothing but ideographs, kana and syllables, many of them
    of every day."""
    if len(data) % 2:
        return None
    for codec in ("utf-16-le", "utf-16-be"):
        text = _strictly(data, codec)
        if text and _IDEOGRAPHS.fullmatch(text) and everyday_share(text) > _EVERYDAY_SHARE:
            return codec
    return None
