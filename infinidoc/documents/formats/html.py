"""HTML and XHTML: what a person reads on the page, without its machinery."""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from infinidoc.documents.charset import decode
from infinidoc.documents.document import MAX_MARKUP, Document, Unreadable
from infinidoc.documents.formats import counting
from infinidoc.documents.formats.composer import Block, Composer
from infinidoc.documents.formats.rows import describe

_LEFT_OUT = frozenset(
    """script style noscript template nav svg head iframe object canvas button datalist annotation
    annotation-xml""".split()  # noqa: SIM905
)
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_BLOCKS = _HEADINGS | frozenset(
    """address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure
    footer form header hgroup hr html legend li main ol p pre search section summary table tbody td tfoot th thead tr
    ul""".split()  # noqa: SIM905
)
_COUNTS: dict[str, Callable[[int], str]] = {
    "a": counting.letters,
    "A": lambda number: counting.letters(number).upper(),
    "i": counting.roman,
    "I": lambda number: counting.roman(number).upper(),
}

_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([\w.:-]+)""", re.I)
_XHTML = re.compile(r"\s*<\?xml|.{0,1000}?xmlns=[\"']http://www.w3.org/1999/xhtml", re.S)
_SELF_CLOSED = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)\b)([a-zA-Z][\w:-]*+)((?:[^<>/]|/(?!>))*+)/>"
)
_INVISIBLE = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.I)

_TAG = re.compile(r"<!--|<(/?)([a-zA-Z][^\s/>]*)[^>]*")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_RAW = frozenset(["script", "style", "textarea", "title"])  # what looks like a tag in them is none
_UNNESTED = frozenset(  # elements without content, and those that end by themselves where the next begins
    """area base br col embed hr img input link meta source track wbr p li dt dd option optgroup tr td th thead tbody
    tfoot colgroup rp rt html head body""".split()  # noqa: SIM905
)
_FORMATTING = frozenset("a b big code em font i nobr s small strike strong tt u".split())  # noqa: SIM905
_TOO_DEEP = 5000
_TOO_MANY = 10_000  # attributes of a tag, options of a field; elements that unclosed formatting repeats, in thousands
_MANY = 10_000  # characters of a tag that may have as many attributes


_UNSEEN_INPUTS = frozenset("hidden submit button reset image file password".split())  # noqa: SIM905
_WIDEST = 100  # columns that a cell may cover; a tag of some bytes may say a thousand
_REPEATED = 10  # cells for each that a table has, where cells cover rows below
_TO_THE_END = 1 << 20  # rows: what rowspan="0" means


def read(data: bytes, format: str) -> Document:
    composer = Composer()
    title, blocks = page(data)
    if title:
        composer.mark(f"section {title}")
        if not any(block.heading and block.text == title for block in blocks):
            composer.add(title)
    composer.add_blocks(blocks)
    return composer.document(format)


def page(data: bytes) -> tuple[str, list[Block]]:
    """The title of a page ("" if it has none) and its blocks.

    Raises Unreadable for what is no text, nested thousands deep, or too large.
    """
    if len(data) > MAX_MARKUP:
        raise Unreadable(f"a page larger than {MAX_MARKUP >> 20} MB: split it")
    declared = _CHARSET.search(data, 0, 2048)
    markup = decode(data, declared.group(1).decode("ascii") if declared else None)
    _check_tangle(markup)
    if _XHTML.match(markup):
        markup = _SELF_CLOSED.sub(r"<\1\2></\1>", markup)  # an HTML parser takes <title/> for a beginning
    tree = LexborHTMLParser(markup)
    title = tree.css_first("head title")
    return _tidy(title.text()) if title else "", list(_Page(tree).blocks())


def _check_tangle(markup: str) -> None:
    """Raises Unreadable for what would keep the parser busy for minutes: its time is quadratic in some things."""
    unclosed: dict[str, list[str]] = {}  # tags by name
    alike: Counter[str] = Counter()  # of those that format
    depth = formatted = repeated = options = at = 0
    while match := _TAG.search(markup, at):
        at = match.end()
        tag, closing, name = match[0], match[1], (match[2] or "").lower()
        if not name or (name in _RAW and not closing):
            at = markup.find("-->" if not name else f"</{match[2]}", at) + 1
            if not at:
                return
            continue
        repeated += formatted
        options = 0 if name == "select" else options + (name == "option")
        attributes = len(_QUOTED.sub("", tag).split()) if len(tag) > _MANY else 0
        if name not in _UNNESTED and not closing:
            unclosed.setdefault(name, []).append(tag)
            depth += 1
            alike[tag] += 1
            formatted += name in _FORMATTING and alike[tag] <= 3  # a parser keeps no more than three of a kind
        elif unclosed.get(name):
            tag = unclosed[name].pop()
            depth -= 1
            formatted -= name in _FORMATTING and alike[tag] <= 3
            alike[tag] -= 1
        if depth > _TOO_DEEP:
            raise Unreadable("nested too deeply")
        if repeated > _TOO_MANY * 1000 or max(options, attributes) > _TOO_MANY:
            raise Unreadable("its markup is too tangled")


class _Page:
    """Gathers the blocks of a page, node by node."""

    def __init__(self, tree: LexborHTMLParser):
        self._tree = tree
        self._inline: list[str] = []  # the text of the block being read
        self._preformatted = 0
        self._lists: list[_List] = []  # that are open
        self._bullet = ""
        self._gap = "\n\n"
        self._rows: list[_Row] = []  # of the table being read, since its beginning or a row that is layout

    def blocks(self) -> Iterator[Block]:
        in_row = False
        for node, entering in _walk(self._tree.root):
            tag = node.tag
            if tag == "-text":
                text = node.text_content or ""
                self._inline.append(text if self._preformatted and not in_row else re.sub(r"\s+", " ", text))
            elif tag == "br":
                self._inline.append("\n" if entering else "")
            elif tag in ("input", "select"):
                self._inline.append(_field(node) if entering else "")
            elif in_row:  # there everything is on one line
                if tag in ("td", "th") and not entering:
                    self._rows[-1].add(node, "".join(self._inline))
                    self._inline.clear()
                elif tag == "tr":
                    self._inline.clear()
                    in_row = False
                elif tag in _BLOCKS:
                    self._inline.append(" ")
            elif tag in _BLOCKS:
                yield from self._end_of_block(tag in _HEADINGS and not entering, "\n" if tag == "dt" else None)
                if tag == "tr" and entering and not _is_layout(node):
                    in_row = True
                    self._rows.append(_Row(node))
                elif tag in ("tr", "table"):
                    yield from self._end_of_rows()
                if tag == "table":
                    self._gap = "\n\n"
                elif tag in ("ul", "ol"):
                    self._begin_or_end_list(node, entering)
                elif tag == "li" and entering:
                    self._bullet = self._lists[-1].bullet(node) if self._lists else "- "
                elif tag == "pre":
                    self._preformatted = max(0, self._preformatted + (1 if entering else -1))
        yield from self._end_of_rows()
        yield from self._end_of_block()

    def _end_of_block(self, heading: bool = False, gap: str | None = None) -> Iterator[Block]:
        text = "".join(self._inline)
        self._inline.clear()
        text = text.strip("\n").rstrip() if self._preformatted else "\n".join(map(_tidy, text.strip().split("\n")))
        if text:
            yield Block(self._bullet + text, self._gap, heading)
            self._gap, self._bullet = gap or ("\n" if self._lists else "\n\n"), ""

    def _end_of_rows(self) -> Iterator[Block]:
        for line in _lines(self._rows):
            yield Block(line, self._gap)
            self._gap = "\n"
        self._rows = []

    def _begin_or_end_list(self, node: LexborNode, entering: bool) -> None:
        if not self._lists or (len(self._lists) == 1 and not entering):
            self._gap = "\n\n"
        if entering:
            self._lists.append(_List(node))
        else:
            self._lists.pop()


class _List:
    """An open list, and the number of its next item."""

    def __init__(self, node: LexborNode):
        self._count = _COUNTS.get(node.attributes.get("type") or "", str) if node.tag == "ol" else None
        self._step = -1 if "reversed" in node.attributes else 1
        first = 1 if self._step > 0 else sum(child.tag == "li" for child in node.iter())
        self._next = _integer(node, "start", first)

    def bullet(self, item: LexborNode) -> str:
        if self._count is None:
            return "- "
        number = _integer(item, "value", self._next)
        self._next = number + self._step
        return f"{self._count(number) if number > 0 else number}. "


class _Row:
    """A row of a table: its cells' text, whether they are names (th), and how many columns and rows they cover."""

    def __init__(self, node: LexborNode):
        self._in_head = node.parent is not None and node.parent.tag == "thead"
        self.cells: list[tuple[str, bool, int, int]] = []

    def add(self, cell: LexborNode, text: str) -> None:
        columns, rows = _integer(cell, "colspan", 1), _integer(cell, "rowspan", 1)
        self.cells.append((text, cell.tag == "th", min(columns or 1, _WIDEST), rows or _TO_THE_END))

    def is_head(self) -> bool:
        return self._in_head or all(is_name for _, is_name, _, _ in self.cells)

    def is_labelled(self) -> bool:
        """Whether a name stands before the values, as in a form."""
        names = [is_name for _, is_name, _, _ in self.cells]
        return names[:1] == [True] and not any(names[1:]) and len(names) > 1


def _lines(rows: list[_Row]) -> Iterator[str]:
    heads = sum(1 for _ in itertools.takewhile(_Row.is_head, rows))
    if heads == len(rows) or all(len(row.cells) == 1 for row in rows[:heads]):  # rows of one cell are titles
        heads = 0
    grid: list[list[str | None]] = []
    covered: dict[int, tuple[int, str | None]] = {}  # by column: how many more rows a cell covers, and its text
    room = _REPEATED * sum(len(row.cells) for row in rows)
    for row in rows:
        line: list[str | None] = []
        for text, _, columns, down in row.cells:
            _cover(line, covered)
            if not line and not heads and row.is_labelled() and not text.rstrip().endswith(":"):
                text = f"{text.rstrip()}:"
            for part in [text, *[None] * (columns - 1)]:
                if down > 1:
                    covered[len(line)] = down - 1, part
                line.append(part)
        _cover(line, covered)
        room -= len(line) - sum(columns for _, _, columns, _ in row.cells)
        if room < 0:
            covered.clear()
        grid.append(line)
    for _, described in describe(grid, heads or None, named=False, gap=" | "):
        yield described


def _cover(line: list[str | None], covered: dict[int, tuple[int, str | None]]) -> None:
    """Appends to a row what cells from above reach down to its next columns."""
    while len(line) in covered:
        rows, text = covered.pop(len(line))
        if rows > 1:
            covered[len(line)] = rows - 1, text
        line.append(text)


def _is_layout(row: LexborNode) -> bool:
    """Whether a row only arranges parts of the page: another table, or sections with headings."""
    table = row.parent and row.parent.parent
    if table is not None and table.attributes.get("role") in ("presentation", "none"):
        return True
    return row.css_first("table, h1, h2, h3, h4, h5, h6") is not None


def _field(node: LexborNode) -> str:
    """What a form's field shows."""
    if node.tag == "select":
        chosen = node.css("option[selected]") or node.css("option")[:1]
        return ", ".join(_tidy(option.text()) for option in chosen)
    kind = (node.attributes.get("type") or "text").lower()
    if kind in ("checkbox", "radio"):
        return "☒ " if "checked" in node.attributes else "☐ "
    return "" if kind in _UNSEEN_INPUTS else node.attributes.get("value") or ""


def _integer(node: LexborNode, attribute: str, default: int) -> int:
    text = (node.attributes.get(attribute) or "").strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,6}", text) else default


def _walk(root: LexborNode | None) -> Iterator[tuple[LexborNode, bool]]:
    """Each node on the way in and on the way out (False), without recursion: pages may be nested thousands deep."""
    node = root
    depth = 0
    while node is not None:
        if not _left_out(node):
            yield node, True
            if node.first_child is not None and node.tag != "select":
                node = node.first_child
                depth += 1
                continue
            if node.is_element_node:
                yield node, False
        while node is not None and node.next is None and depth:
            node = node.parent
            depth -= 1
            if node is not None:
                yield node, False
        node = node.next if node is not None and depth else None


def _left_out(node: LexborNode) -> bool:
    if not node.is_element_node:
        return not node.is_text_node
    if node.tag in _LEFT_OUT:
        return True
    attributes = node.attributes
    return bool(attributes) and (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or attributes.get("role") == "navigation"
        or attributes.get("class") == "headerlink"  # Sphinx's ¶
        or _INVISIBLE.search(attributes.get("style") or "") is not None
    )


def _tidy(text: str) -> str:
    return " ".join(text.split())
