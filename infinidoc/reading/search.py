"""The passages that a question needs: found by their addresses, and put together for a reader."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from infinidoc.documents.document import Document
from infinidoc.memory.records import AddressBlock, StoredDocument
from infinidoc.memory.store import Store
from infinidoc.model.addresses import AddressHead, question_vectors
from infinidoc.model.base import BaseModel
from infinidoc.model.kernels import State
from infinidoc.reading.alike import alike
from infinidoc.reading.answers import Source, display
from infinidoc.reading.approximate import Index, open_index, recall_with
from infinidoc.reading.quoting import Shown
from infinidoc.reading.readers.reader import Piece
from infinidoc.reading.recall import recall


@dataclass(frozen=True)
class Warm:
    """What answering keeps between questions, as of one revision of the collection."""

    revision: int
    blocks: list[AddressBlock]  # what is searched exactly
    index: Index | None
    state: list[State] | None

    @classmethod
    def of(cls, store: Store) -> Self:
        revision, index = store.revision, open_index(store)
        return cls(revision, store.addresses(after=index.until if index else 0), index, store.state())


@dataclass(frozen=True)
class Found:
    """A recalled passage, and where it stands in its document's whole text."""

    source: Source
    whole: str
    start: int
    end: int
    locate: Callable[[int], str] = lambda offset: ""
    document: int = 0  # its id
    passage: int = 0  # and the passage's

    @property
    def shown(self) -> Shown:
        return Shown(self.source.document, self.source.text, self.start, self.locate)


def search(store: Store, warm: Warm, base: BaseModel, head: AddressHead, question: str, top: int) -> list[Found]:
    """The best `top` passages, best first."""
    wanted = (warm.blocks, *question_vectors(base, head, question), top)
    found = []
    for recalled in recall_with(warm.index, store, *wanted) if warm.index else recall(*wanted):
        row = store.passage(recalled.passage)
        if row is None:  # another process has removed it since
            continue
        identifier, start, end = row
        document, stored = store.document(identifier), store.stored(identifier)
        source = source_at(stored, document, start, end, round(recalled.score, 4))
        found.append(Found(source, document.text, start, end, document.locate, identifier, recalled.passage))
    return found


def alike_in(store: Store, base: BaseModel, head: AddressHead, question: str, found: Sequence[Found]) -> list[float]:
    """How alike the question and each sentence of these passages are."""
    addresses = [store.block_of([one.passage]).addresses for one in found]
    texts = [one.source.text for one in found]
    return alike(base, *question_vectors(base, head, question), list(zip(texts, addresses, strict=True)))


def source_at(stored: StoredDocument, document: Document, start: int, end: int, score: float) -> Source:
    also_in = tuple(map(display, stored.copies))
    name, place = display(stored.path), document.locate(start)
    return Source(name, stored.path, place, score, document.text[start:end], also_in)


def in_pieces(found: Sequence[Found]) -> list[Piece]:
    """What a reader is shown, best first; those that follow each other in a document as one, as they stand there."""
    pieces: list[list[Found]] = []
    for one in sorted(found, key=lambda one: (one.source.path, one.start)):
        last = pieces[-1][-1] if pieces else None
        if last and last.source.path == one.source.path and not one.whole[last.end : one.start].strip():
            pieces[-1].append(one)
        else:
            pieces.append([one])
    pieces.sort(key=lambda piece: -max(one.source.score for one in piece))
    return [_piece(piece[0], piece[-1]) for piece in pieces]


def one_by_one(found: Sequence[Found]) -> list[Piece]:
    return [_piece(one, one) for one in found]


def _piece(first: Found, last: Found) -> Piece:
    return Piece(first.source.document, first.source.place, first.whole[first.start : last.end])
