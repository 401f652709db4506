"""The passages that a question needs: found by their addresses, and put together for a reader."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from torch import Tensor

from infinidoc.documents.document import Document
from infinidoc.memory.records import AddressBlock, StoredDocument
from infinidoc.memory.store import Store
from infinidoc.model.addresses import AddressHead, question_vectors
from infinidoc.model.base import BaseModel
from infinidoc.model.kernels import State
from infinidoc.reading.alike import alike
from infinidoc.reading.answers import Source, display
from infinidoc.reading.approximate import EXACT_TOKENS, Index, open_index, recall_with
from infinidoc.reading.quoting import Shown, marked
from infinidoc.reading.readers.reader import Piece
from infinidoc.reading.recall import Recalled, recall
from infinidoc.reading.scope import EVERYWHERE, Scope


@dataclass(frozen=True)
class Part:
    """What of a collection is in a scope: documents by id, each with the path that it has there; passages by id, each
    with its tokens."""

    paths: dict[int, str]
    passages: dict[int, int]


@dataclass(frozen=True)
class Warm:
    """What answering keeps between questions, as of one revision of the collection."""

    revision: int
    blocks: list[AddressBlock]  # what is searched exactly
    index: Index | None
    state: list[State] | None
    parts: dict[tuple[Scope, str], Part] = field(default_factory=dict)  # by scope and working directory

    @classmethod
    def of(cls, store: Store) -> Self:
        revision, index = store.revision, open_index(store)
        return cls(revision, store.addresses(after=index.until if index else 0), index, store.state())

    def part(self, store: Store, scope: Scope) -> Part | None:
        """None for the whole collection. Raises InfinidocError for a scope that no document is in."""
        key = (scope, os.getcwd())
        if key not in self.parts:
            paths = scope.files(store)
            if paths is None:
                return None
            self.parts[key] = Part(paths, store.passages_of(paths))
        return self.parts[key]

    def recall(self, store: Store, question: Tensor, weights: Tensor, top: int, part: Part | None) -> list[Recalled]:
        """The best `top` passages of a part, best first. It is searched exactly, unless it is a large one."""
        wanted = (question, weights, top)
        if part is None:
            return recall_with(self.index, store, self.blocks, *wanted) if self.index else recall(self.blocks, *wanted)
        if self.index is None:
            return recall(self.blocks, *wanted, part.passages)
        if sum(part.passages.values()) > EXACT_TOKENS:
            return recall_with(self.index, store, self.blocks, *wanted, part.passages)
        return recall(store.addresses(), *wanted, part.passages)


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


def search(
    store: Store,
    warm: Warm,
    base: BaseModel,
    head: AddressHead,
    question: str,
    top: int,
    scope: Scope = EVERYWHERE,
) -> list[Found]:
    """The best `top` passages, best first."""
    part = warm.part(store, scope)
    found = []
    for recalled in warm.recall(store, *question_vectors(base, head, question), top, part):
        row = store.passage(recalled.passage)
        if row is None:  # another process has removed it since
            continue
        identifier, start, end = row
        document, stored = store.document(identifier), store.stored(identifier)
        stored = stored.at(part.paths[identifier]) if part else stored
        source = source_at(stored, document, start, end, round(recalled.score, 4))
        source = replace(source, marks=marked(question, source.text))
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
    return Source(name, stored.path, place, score, document.text[start:end], also_in, stored.id, start, end)


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
