"""Documents into passages, which are recalled and cited; passages into segments, which the model sees at once."""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator

from infinidoc.documents.document import Document, Passage

PASSAGE_TOKENS = 160
SEGMENT_TOKENS = 512

_TINY = 8  # a block of less than an eighth of the limit, such as a heading, joins what follows
_CHARACTERS = 16  # per token: text that is longer is cut before it is encoded, so that no tokeniser meets megabytes

# Where a block that is too long is cut, best first; each match ends where the passage does.
_CUTS = (
    re.compile(r"[.!?…][\"'”’»)\]]*(?=\s+[^\sa-z])|[。！？][」』”’）]*"),  # sentences
    re.compile(r"\S(?=[^\S\n]*\n)"),  # lines
    re.compile(r"\S(?=\s)"),  # words
)
_GAP = re.compile(r"\s*\n|\s+")  # what is left out between two pieces: all space but the next line's indentation
_BLANK_LINE = re.compile(r"\n[^\S\n]*(?=\n)")

Encode = Callable[[str], list[int]]


def split_into_passages(document: Document, encode: Encode, limit: int = PASSAGE_TOKENS) -> Iterator[Passage]:
    """The document's text in passages of at most `limit` tokens: in order, without overlap, leaving out only space.

    A passage is a run of whole blocks (paragraphs, or what begins at a mark) and doesn't cross a mark that breaks. A
    block that is too long is cut between sentences, else lines, else words, else anywhere.

    Raises ValueError if a single character takes more than `limit` tokens.
    """
    text = document.text
    for blocks in _parts(document):
        last: Passage | None = None
        for passage in _atoms(text, blocks, encode, limit):
            if last and len(last.ids) + len(passage.ids) <= limit:
                ids = encode(text[last.start : passage.end])  # not the sum: the gap counts, and tokens may merge
                if len(ids) <= limit:
                    last = Passage(last.start, passage.end, ids)
                    continue
            if last:
                yield last
            last = passage
        if last:
            yield last


def pack_into_segments(passages: Iterable[Passage], limit: int = SEGMENT_TOKENS) -> Iterator[list[Passage]]:
    """Consecutive passages, as many as have at most `limit` tokens together; a longer one stays alone."""
    segment: list[Passage] = []
    room = limit
    for passage in passages:
        if segment and len(passage.ids) > room:
            yield segment
            segment, room = [], limit
        segment.append(passage)
        room -= len(passage.ids)
    if segment:
        yield segment


def _parts(document: Document) -> Iterator[list[tuple[int, int]]]:
    """The blocks, each from its first line to its last character, in one list for each page, slide, sheet, ..."""
    text = document.text
    marks = {mark.start for mark in document.marks}
    breaks = {mark.start for mark in document.marks if mark.breaks}
    edges = marks | {match.end() for match in _BLANK_LINE.finditer(text)} | {0, len(text)}
    blocks: list[tuple[int, int]] = []
    for edge, next_edge in itertools.pairwise(sorted(edges)):
        if edge in breaks and blocks:
            yield blocks
            blocks = []
        block = text[edge:next_edge].rstrip()
        if block:
            gap = _GAP.match(block)
            blocks.append((edge + (gap.end() if gap and "\n" in gap[0] else 0), edge + len(block)))
    if blocks:
        yield blocks


def _atoms(text: str, blocks: list[tuple[int, int]], encode: Encode, limit: int) -> Iterator[Passage]:
    """What passages are joined from: blocks, tiny ones together with the next, long ones in pieces."""
    begun: int | None = None  # where a tiny one began
    for start, end in blocks:
        rest: Passage | None = None
        for piece in _pieces(text, start if begun is None else begun, end, encode, limit):
            if rest:
                yield rest
            rest = piece
        assert rest is not None  # a block is more than space
        if len(rest.ids) * _TINY < limit and end != blocks[-1][1]:
            begun = rest.start
        else:
            yield rest
            begun = None


def _pieces(text: str, start: int, end: int, encode: Encode, limit: int) -> Iterator[Passage]:
    """`text[start:end]`, which must not end in space, in pieces as long as the limit allows."""
    widest = width = limit * _CHARACTERS
    while True:
        stop = end if end - start <= width else _cut(text, start, start + width)
        ids = encode(text[start:stop])
        if len(ids) > limit:
            if stop - start == 1:
                raise ValueError(f"{text[start]!r} takes {len(ids)} tokens, more than the limit of {limit}")
            # What is likely to fit, and always less than what didn't.
            width = max(1, min(stop - start - 1, int(0.95 * (stop - start) * limit / len(ids))))
            continue
        if not text[start:stop].isspace():
            yield Passage(start, stop, ids)
        if stop == end:
            return
        width = min(widest, max(1, (stop - start) * limit // max(1, len(ids))))
        gap = _GAP.match(text, stop)
        start = gap.end() if gap else stop


def _cut(text: str, start: int, stop: int) -> int:
    """The best place to end a passage that begins at `start` and must end by `stop`: late, but not at any price."""
    early = start + (stop - start) // 4
    for cut in _CUTS:
        places = [match.end() for match in cut.finditer(text, early, stop + 2) if match.end() <= stop]
        if places:
            return places[-1]
    return stop
