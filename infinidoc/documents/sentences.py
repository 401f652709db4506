"""Where a text's sentences begin and end; a table's row, a mail's header line or a list's item counts as one.

Rules, no model: text is cut after a full stop only if what follows looks like a beginning, and what stands before it
isn't an abbreviation, an initial or an ordinal. In doubt two sentences stay one: a reader loses less by it.
"""

import itertools
import re
from collections.abc import Iterator

_END = re.compile(r"[.!?…]+[\"'”’»“)\]*_]*(?=\s+[^\sa-z])|[。！？]+[」』”’）]*")
_WORD = re.compile(r"[^\s(\[„«“\"']+$")
# Not the end of a sentence before a number, before a capital, before anything.
_BEFORE_NUMBERS = re.compile(
    r"no|nos|nr|art|abs|ch|chap|fig|figs|vol|sec|p|pp|"
    r"pag|pág|núm|num|tel|approx|ca|c|ext|§|z|ziff"
)
_BEFORE_NAMES = re.compile(
    r"dr|mr|mrs|ms|mx|prof|st|ste|sr|sra|srta|hr|fr|mme|mlle|"
    r"mgr|dott|ing|sig|rev|gen|col|capt|lt|sgt|hon|mt|ft"
)
_ANYWHERE = re.compile(r"al|vs|cf|bzw|ggf|evtl|inkl|zzgl|vgl|sog|incl|excl")
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]?|[^\W\d_]")  # "e.g", "z.B", "U.S", an initial; without the last dot
_HOURS = frozenset(("a.m", "p.m"))
_MONTH = re.compile(r"\s*(?:jan|feb|mär|mar|apr|mai|may|jun|jul|aug|sep|o[kc]t|nov|de[zc]|jahr)", re.IGNORECASE)
_ORDINAL_AFTER = re.compile(r"am|der|die|das|den|dem|des|zum|vom|im|beim|bis|ab|seit")

_ITEM = re.compile(r"\s*(?:[-*•‣–—#>]+\s|\(?\d{1,3}[.)]\s|\[|\||[^\s:]{1,20}(?: [^\s:]{1,20}){0,2}: |\S+ = )")
_ROW = re.compile(r"\||\t|^[^:;]{1,40}: [^;]*; [^:;]{1,40}: ")
_LINES = re.compile(r"[^\n]+")
_NARROW = 40  # characters: a paragraph of shorter lines wasn't wrapped, its lines are as their writer meant them


def sentences(text: str) -> list[tuple[int, int]]:
    """The (start, end) of each, in order, without the space around it. What lies between two is space only."""
    found = []
    for start, end in _runs(text):
        for first, last in _cut(text, start, end):
            sentence = text[first:last]
            if stripped := sentence.strip():
                begin = first + len(sentence) - len(sentence.lstrip())
                found.append((begin, begin + len(stripped)))
    return found


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Lines; those over which a sentence was wrapped, together."""
    paragraph: list[tuple[int, int]] = []
    for line in _LINES.finditer(text):
        if not line[0].strip():
            yield from _joined(text, paragraph)
            paragraph = []
            continue
        if paragraph and text[paragraph[-1][1] : line.start()].count("\n") > 1:
            yield from _joined(text, paragraph)
            paragraph = []
        paragraph.append((line.start(), line.start() + len(line[0].rstrip())))
    yield from _joined(text, paragraph)


def _joined(text: str, lines: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """A line goes on in the next one if that one's first word would not have found room in it."""
    width = max((end - start for start, end in lines), default=0)
    begun: int | None = None
    for (start, end), following in itertools.zip_longest(lines, lines[1:]):
        begun = start if begun is None else begun
        if following:
            line, then = text[start:end], text[slice(*following)]
            full = len(line) + len(then.split()[0]) >= width >= _NARROW
            certain = len(lines) > 2 or not then.lstrip()[0].isupper()
            if full and certain and not _ITEM.match(then) and not _ROW.search(line) and not _ROW.search(then):
                continue
        yield begun, end
        begun = None


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    if _ROW.search(text[start:end]):
        yield start, end
        return
    begun = start
    for mark in _END.finditer(text, start, end):
        if mark[0] == "." and _goes_on(text[begun : mark.start()], text[mark.end() : mark.end() + 12]):
            continue
        yield begun, mark.end()
        begun = mark.end()
    yield begun, end


def _goes_on(before: str, after: str) -> bool:
    """Whether the full stop between belongs to the word before it."""
    found = _WORD.search(before)
    if not found:
        return False
    word, follows = found[0], after.lstrip()[:1]
    low = word.lower()
    if word.isdigit():
        earlier = before[: found.start()].split()[-1:]
        return len(word) < 3 and (
            not earlier or bool(_MONTH.match(after)) or bool(_ORDINAL_AFTER.fullmatch(earlier[0].lower()))
        )
    if _BEFORE_NUMBERS.fullmatch(low) and follows.isdigit():
        return True
    dotted = _DOTTED.fullmatch(word) and low not in _HOURS
    return bool(_BEFORE_NAMES.fullmatch(low) or _ANYWHERE.fullmatch(low) or dotted)
