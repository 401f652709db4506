"""Lines of a PDF page become paragraphs again."""

import itertools
import re
import statistics
from typing import NamedTuple

HYPHEN = "\ufffe"  # what PDFium gives for a hyphen at a line's end; it joins the two lines itself
_BULLET = re.compile(r"(?:[•▪◦‣●■○–—]|\[[ x]\])\s")
_LEADER = re.compile(r"(?<![ \t])[ \t]*(?:\.[ \t]?){5,}")  # the dots of a table of contents
_RANGE = re.compile(r"\d[-–]\d")  # of years or pages, over a line's end
_NEAR = 500  # lines before and after a block that show how wide its column is


class Cell(NamedTuple):
    """A part of a line with room on both sides."""

    text: str
    left: float
    right: float


class Line(NamedTuple):
    """A line of a page, in points from the page's lower left corner, turned upright.

    `first` and `last` are the baselines of its first and last character: where a word was hyphenated, PDFium gives two
    lines as one. `turns` is by how many right angles it was turned, counterclockwise.
    `cells` are its parts, where there is much room between them.
    """

    text: str
    left: float
    right: float
    first: float
    last: float
    height: float
    turns: int = 0
    cells: tuple[Cell, ...] = ()


def paragraphs(page: list[Line], start: int = 0, stop: int | None = None) -> str:
    """The text of a page, or of its lines from `start` to before `stop`: wrapped lines joined by a space, short ones
    kept, a blank line between paragraphs."""
    steps = [above.last - below.first if above.turns == below.turns else 0 for above, below in itertools.pairwise(page)]
    leading = statistics.median([step for step in steps if step > 0] or [0])
    blocks: list[list[Line]] = []  # lines below one another at the usual distance
    lines = page[start:stop]
    for index, line in enumerate(lines):
        above, step = lines[index - 1], steps[start + index - 1] if index else 0
        resized = abs(above.height - line.height) > 0.15 * max(above.height, line.height)
        if not index or resized or not 0 < step <= 1.25 * leading:
            blocks.append([])
        blocks[-1].append(line)
    joined, end = [], start
    for block in blocks:
        near = page[max(0, end - _NEAR) : end + len(block) + _NEAR]
        joined.append(_joined(block, _edge(block, near)))
        end += len(block)
    text = _unhyphenated("\n\n".join(joined))
    return _LEADER.sub(" … ", text)


def _edge(block: list[Line], lines: list[Line]) -> float:
    """Where the column of a block ends on the right: as far as most lines of the page go that begin below its first."""
    rights = sorted((line.right for line in lines if abs(line.left - block[0].left) < line.height), reverse=True)
    typical = rights[len(rights) // 5] if rights else 0  # a few lines may span several columns
    return max(typical, *(line.right for line in block))


def _joined(block: list[Line], right: float) -> str:
    text = block[0].text
    for above, below in itertools.pairwise(block):
        # A line was wrapped if the next word had no room on it; a Latin letter is about 0.4 line heights wide.
        dense = _is_dense(below.text[0])
        word = below.height * (1 if dense else 0.4 * len(below.text.split(None, 1)[0]))
        is_full = above.right + word > right
        is_indented = below.left > above.left + 0.5 * below.height
        if is_indented and not is_full:
            text += "\n\n"
        elif not text.endswith(HYPHEN):
            is_item = _BULLET.match(below.text) or _LEADER.search(above.text) or (is_indented and text.endswith("."))
            space = "" if (dense and _is_dense(text[-1])) or _RANGE.search(text[-2:] + below.text[0]) else " "
            text += space if is_full and not is_item else "\n"
        text += below.text
    return text


def _is_dense(char: str) -> bool:
    """Whether it belongs to a script without spaces between words, such as Chinese and Japanese."""
    return "\u2e80" <= char < "\uac00"


def _unhyphenated(text: str) -> str:
    """A hyphen that a line's end made goes; one of a compound (state-of-the-art, a capital, a number) stays."""
    first, *others = text.split(HYPHEN)
    mended = [first]
    for part in others:
        word = mended[-1][-40:].split(" ")[-1]
        made = word[-1:].islower() and part[:1].islower() and "-" not in word
        mended += ["" if made else "-", part]
    return "".join(mended)
