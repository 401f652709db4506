"""Documents out of a collection's memory: what they added to it is read once more, and subtracted."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Literal

from infinidoc.documents.document import Passage
from infinidoc.documents.segmentation import SEGMENT_TOKENS, pack_into_segments
from infinidoc.memory.records import StoredDocument
from infinidoc.memory.store import Memory, Store
from infinidoc.model.base import BaseModel
from infinidoc.model.encoding import Encoder, Seat, add, subtract
from infinidoc.model.kernels import State
from infinidoc.reading.remembering import held

if TYPE_CHECKING:
    from infinidoc.reading.cluster import Cluster

SEGMENTS_AT_ONCE = 64  # that are read again to be taken out: those that shared a batch share it again


def forget(store: Store, base: BaseModel, documents: Sequence[StoredDocument]) -> None:
    """Takes documents out of a collection: out of its memory, its addresses, its text and its log.

    Only their files at `path` are taken out: a document of which there are copies stays.
    """
    with store.writing():
        paths = [document.path for document in documents]
        gone = store.left_by(paths)
        with Encoder(base) as reader:
            state = state_without(store, base, reader, gone)
        store.commit([], [document.id for document in gone], state, unnamed=paths)


def state_without(
    store: Store,
    base: BaseModel,
    reader: "Encoder | Cluster",
    documents: Sequence[StoredDocument],
) -> list[State] | Literal[Memory.UNCHANGED] | None:
    """A collection's memory without some of its documents; without all that it holds it is empty, not almost empty."""
    state = held(store, base)
    less = state_of(store, base, reader, documents) if state else None
    if state is None or less is None:
        return Memory.UNCHANGED
    rest = subtract(state, less)
    return rest if rest[0].tokens.any() else None


def state_of(
    store: Store, base: BaseModel, reader: "Encoder | Cluster", documents: Sequence[StoredDocument]
) -> list[State] | None:
    """What documents added to the memory, to the last bit: they are read once more, in the same seats. None if the
    second pass has read nothing of them yet."""
    total: list[State] | None = None
    for known, stored in groupby(_stored(store, base, documents), key=lambda segment: segment[1] is not None):
        while some := list(islice(stored, SEGMENTS_AT_ONCE)):
            seats = [seat for _, seat in some if seat]
            more = reader.second_pass([ids for ids, _ in some], seats if known else None)(lambda tokens: None)
            total = add(total, more)
    return total


def _stored(
    store: Store, base: BaseModel, documents: Sequence[StoredDocument]
) -> Iterator[tuple[list[int], Seat | None]]:
    """The segments of documents that the memory holds, as token ids, in the order in which they came, each with its
    seat if that is known."""
    for document in sorted(documents, key=lambda document: document.id):
        text = store.document(document.id).text
        seats = {row.start: Seat(row.rows, row.width, row.row) for row in store.segments(document.id)}
        pending, rows = store.pending_starts(document.id), store.passages(document.id)
        passages = (Passage(row.start, row.end, base.encode(text[row.start : row.end])) for row in rows)
        for segment in segments_of(base, passages):
            if segment[0].start not in pending:
                yield ids_of(segment), seats.get(segment[0].start)


def segments_of(base: BaseModel, passages: Iterable[Passage]) -> Iterator[list[Passage]]:
    return pack_into_segments(passages, SEGMENT_TOKENS - len(base.start))


def ids_of(segment: list[Passage]) -> list[int]:
    return [token for passage in segment for token in passage.ids]
