"""Rich Text Format: what a word processor shows of it, with footnotes and comments behind their paragraph."""

import re
from dataclasses import dataclass, replace

from infinidoc.documents.charset import is_encoding
from infinidoc.documents.document import Document
from infinidoc.documents.formats.composer import Composer
from infinidoc.documents.formats.rows import describe

_TOKEN = re.compile(rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n]+|[^\\{}\r\n]+")

# Groups whose text isn't on the page.
_UNSEEN = frozenset(
    """stylesheet colortbl info pict fldinst datafield shprslt objdata bkmkstart bkmkend xe tc rxe listtable
    listoverridetable revtbl rsidtbl filetbl nonesttables upr sp htmltag themedata latentstyles datastore xmlnstbl
    atnid atnauthor atndate atnref atrfstart atrfend ftnsep ftnsepc ftncn aftnsep aftnsepc aftncn pnseclvl generator
    passwordhash protusertbl wgrffmtfilter mmathPr formfield""".split()  # noqa: SIM905
)
_ASIDE = {"footnote": "", "annotation": "Comment: "}  # what is shown beside or below the text, and how it begins here
_MARGINS = frozenset(["header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf"])
_SEEN_THOUGH_STARRED = frozenset(["shpinst", "annotation", "ud"])

_CELL = "\x1f"  # behind each cell of a row
_CHARACTERS = {
    "line": "\n", "tab": "\t", "emdash": "—", "endash": "–", "emspace": " ", "enspace": " ", "qmspace": " ",
    "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "cell": _CELL, "nestcell": _CELL,
}  # fmt: skip
_SYMBOLS = {b"~": "\xa0", b"_": "-", b"{": "{", b"}": "}", b"\\": "\\"}
_PARAGRAPH_ENDS = frozenset(["par", "sect", "page", "row", "nestrow"])

_CODE_PAGES = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
_CHARSETS = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "big5", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip


@dataclass(frozen=True)
class _State:
    """What holds inside a group. `target` is where its text goes: the page's body, an aside, a margin, or nowhere."""

    target: str = "body"
    fallback: int = 1  # characters that stand in for one given as \u
    font: int | None = None
    hidden: bool = False
    deleted: bool = False


class _Reader:
    def __init__(self) -> None:
        self.composer = Composer()
        self.state = _State()
        self.stack: list[_State] = []
        self.code_page = "cp1252"
        self.fonts: dict[int, str] = {}
        self.default_font: int | None = None
        self.text: dict[str, list[str]] = {"body": [], "margin": [], **{name: [] for name in _ASIDE}}
        self.bytes = bytearray()  # of the text so far, in the code page of its font
        self.skip = 0  # characters still to come that stand in for one already given
        self.starred = False
        self.notes = 0
        self.asides: list[str] = []
        self.margins: dict[str, None] = {}  # what stands in headers and footers, once each
        self.rows: list[list[str]] = []  # of the table that is being read
        self.is_heading = self.in_cell = False

    def read(self, data: bytes) -> None:
        position = 0
        while match := _TOKEN.match(data, position):
            position = match.end()
            word, number, code, symbol, brace = match.groups()
            if code or not (word or symbol or brace):
                self._characters(bytes.fromhex(code.decode()) if code else match[0].strip(b"\r\n"))
                continue
            self._decode()
            if brace == b"{":
                self.stack.append(self.state)
                self.skip = 0
            elif brace:
                self._close()
            elif word == b"bin":
                position += max(0, int(number or 0))
            elif word:
                self._word(word.decode(), int(number) if number else None)
            elif symbol == b"*":
                self.starred = True
            else:
                self.starred = False
                self._symbol(symbol)
        self._decode()
        self.state, self.in_cell = _State(), False
        self._end_paragraph()

    def _characters(self, raw: bytes) -> None:
        skipped = min(self.skip, len(raw))
        self.skip -= skipped
        self.bytes += raw[skipped:]

    def _decode(self) -> None:
        if self.bytes:
            font = self.default_font if self.state.font is None else self.state.font
            code_page = self.fonts.get(-1 if font is None else font, self.code_page)
            self._put(self.bytes.decode(code_page, "replace"))
            self.bytes.clear()

    def _put(self, text: str) -> None:
        if self.state.target in self.text and not self.state.hidden and not self.state.deleted:
            self.text[self.state.target].append(text)

    def _symbol(self, symbol: bytes) -> None:
        if symbol in b"\r\n":
            self._end_paragraph()
        elif symbol in _SYMBOLS:
            self._put(_SYMBOLS[symbol])

    def _close(self) -> None:
        target = self.state.target
        self.state = self.stack.pop() if self.stack else self.state
        self.skip = 0
        if target != self.state.target and target in _ASIDE:
            self.asides.append(_ASIDE[target] + " ".join(self._taken(target).split()))
        elif target != self.state.target and target == "margin":
            self.margins[" ".join(self._taken(target).split())] = None

    def _word(self, word: str, number: int | None) -> None:
        starred, self.starred = self.starred, False
        state = self.state
        if self.skip and word != "u":
            self.skip -= 1
        if (starred and word not in _SEEN_THOUGH_STARRED) or word in _UNSEEN:
            self.state = replace(state, target="")
        elif word == "ud":  # the Unicode twin of a group that was just left out
            self.state = replace(state, target="body")
        elif word == "fonttbl":
            self.state = replace(state, target="fonts")
        elif word in _ASIDE and state.target:
            self.state = replace(state, target=word)
        elif word in _MARGINS and state.target:
            self.state = replace(state, target="margin")
        elif word == "u" and number is not None:
            self._put(chr(number % 0x10000))
            self.skip = state.fallback
        elif word == "uc":
            self.state = replace(state, fallback=max(0, number or 0))
        elif word == "v":
            self.state = replace(state, hidden=number != 0)
        elif word == "deleted":
            self.state = replace(state, deleted=number != 0)
        elif word == "plain":
            self.state = replace(state, hidden=False, deleted=False, font=None)
        elif word == "f":
            self.state = replace(state, font=number)
        elif word == "deff":
            self.default_font = number
        elif word in ("fcharset", "cpg") and state.target == "fonts" and state.font is not None:
            code_page = _CHARSETS.get(number or 0, "") if word == "fcharset" else f"cp{number}"
            if is_encoding(code_page):
                self.fonts[state.font] = code_page
        elif word in _CODE_PAGES or (word == "ansicpg" and is_encoding(f"cp{number}")):
            self.code_page = _CODE_PAGES.get(word, f"cp{number}")
        elif word == "chftn":
            self.notes += state.target == "body"
            self._put(f"[{self.notes}]")
        elif word in _CHARACTERS:
            self._put(_CHARACTERS[word])
        elif word == "pard":
            self.is_heading = self.in_cell = False
        elif word == "intbl":
            self.in_cell = True
        elif word == "outlinelevel" and state.target == "body":
            self.is_heading = (number or 0) < 9
        elif word in _PARAGRAPH_ENDS:
            self._end_paragraph(is_row=word in ("row", "nestrow"))

    def _taken(self, target: str) -> str:
        text = "".join(self.text[target])
        self.text[target] = []
        # Characters beyond 16 bits come as two halves; bullets come from a font of symbols.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return re.sub(r"[\uf000-\uf0ff]", "", text.replace("\uf0b7", "•").replace("\uf0a7", "•"))

    def _end_paragraph(self, is_row: bool = False) -> None:
        if self.state.target != "body" or (self.in_cell and not is_row):
            self._put("\n")
            return
        text = self._taken("body")
        if is_row:
            cells = text.strip("\n").split(_CELL)
            self.rows.append([" ".join(cell.split()) for cell in cells[:-1] or cells])
            return
        self._end_table()
        text = text.replace(_CELL, " | ").strip()
        if self.is_heading and text:
            self.composer.mark(f"section {text}")
        self.composer.add(text)
        self._add_asides()

    def _end_table(self) -> None:
        if self.rows:
            for index, (_, line) in enumerate(describe(self.rows, named=False, gap=" | ")):
                self.composer.add(line, "\n" if index else "\n\n")
            self.rows = []
            self._add_asides()

    def _add_asides(self) -> None:
        for aside in self.asides:
            self.composer.add(aside)
        self.asides.clear()


def read(data: bytes, format: str) -> Document:
    reader = _Reader()
    reader.read(data)
    for margin in reader.margins:
        reader.composer.add(margin)
    return reader.composer.document(format)
