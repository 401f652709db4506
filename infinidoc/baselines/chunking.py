"""Documents into chunks for retrieval: whole sentences up to a size, each chunk beginning with the last one's end."""

import itertools
import re
from collections.abc import Callable, Iterator

from infinidoc.documents.document import Document

CHUNK_TOKENS = 128  # of the reader's tokens
OVERLAP_TOKENS = 32
DEPTH = 2  # chunks in the prompt: more mislead a small reader
Encode = Callable[[str], list[int]]

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]”’»]*\s+(?=[^\sa-z])|(?<=[。！？])|\n+")
_CHARACTERS = 16  # per token: what is longer than that is cut before it is encoded


def split_into_chunks(document: Document, encode: Encode, size: int, overlap: int) -> list[tuple[int, int]]:
    """(start, end) of each chunk in the document's text: about `size` tokens at most, in order.

    A chunk begins with the last whole sentences of the one before, up to `overlap` tokens, and doesn't cross a mark
    that breaks (page, slide, sheet, message). Tokens are counted sentence by sentence, so a chunk's own count may
    differ by a few. A sentence that is too long is cut between words.
    """
    text = document.text
    edges = sorted({0, len(text), *(mark.start for mark in document.marks if mark.breaks)})
    chunks: list[tuple[int, int]] = []
    for edge, next_edge in itertools.pairwise(edges):
        kept: list[tuple[int, int, int]] = []  # the sentences of the chunk that is being filled
        total = fresh = 0  # their tokens, and how many of these sentences no chunk has yet
        for sentence in _sentences(text, edge, next_edge, encode, size):
            if fresh and total + sentence[2] > size:
                chunks.append((kept[0][0], kept[-1][1]))
                room = min(overlap, size - sentence[2])
                while kept and total > room:
                    total -= kept.pop(0)[2]
                fresh = 0
            kept.append(sentence)
            total += sentence[2]
            fresh += 1
        if fresh:
            chunks.append((kept[0][0], kept[-1][1]))
    return chunks


def _sentences(text: str, start: int, end: int, encode: Encode, size: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, tokens) of each sentence in `text[start:end]`, without the space around it."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text, start, end)]
    for begin, stop in itertools.pairwise([start, *ends, end]):
        yield from _pieces(text, begin, stop, encode, size)


def _pieces(text: str, start: int, end: int, encode: Encode, size: int) -> Iterator[tuple[int, int, int]]:
    piece = text[start:end]
    start, end = start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
    if start >= end:
        return
    if end - start <= size * _CHARACTERS:
        tokens = len(encode(text[start:end]))
        if tokens <= size or end - start == 1:
            yield start, end, tokens
            return
    middle = (start + end) // 2
    cut = text.rfind(" ", start + 1, middle)
    cut = cut if cut > 0 else middle
    yield from _pieces(text, start, cut, encode, size)
    yield from _pieces(text, cut, end, encode, size)
