"""Documents out of a collection's memory: what they added to it is read once more, and subtracted."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING

from infinidoc.documents.document import Passage
from infinidoc.documents.segmentation import SEGMENT_TOKENS, pack_into_segments
from infinidoc.memory.records import StoredDocument
from infinidoc.memory.store import Store
from infinidoc.model.base import BaseModel
from infinidoc.model.encoding import Encoder, Seat, add, subtract
from infinidoc.model.kernels import State

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
        with Encoder(base, None) as reader:
            state = state_without(store, base, reader, store.state(), gone)
        store.commit([], [document.id for document in gone], state, unnamed=paths)


def state_without(
    store: Store,
    base: BaseModel,
    reader: "Encoder | Cluster",
    state: list[State] | None,
    documents: Sequence[StoredDocument],
) -> list[State] | None:
    """A collection's memory without some of its documents; without all of them it is empty, not almost empty."""
    if state is None or not documents:
        return state
    rest = subtract(state, state_of(store, base, reader, documents))
    return rest if rest[0].tokens.any() else None


def state_of(
    store: Store, base: BaseModel, reader: "Encoder | Cluster", documents: Sequence[StoredDocument]
) -> list[State]:
    """What documents added to the memory, to the last bit: they are read once more, in the same seats."""
    total: list[State] | None = None
    for known, stored in groupby(_stored(store, base, documents), key=lambda segment: segment[1] is not None):
        while some := list(islice(stored, SEGMENTS_AT_ONCE)):
            seats = [seat for _, seat in some if seat]
            encoded = reader.submit([ids for ids, _ in some], seats if known else None)(lambda tokens: None)
            assert encoded.state is not None
            total = add(total, encoded.state)
    assert total is not None
    return total


def _stored(
    store: Store, base: BaseModel, documents: Sequence[StoredDocument]
) -> Iterator[tuple[list[int], Seat | None]]:
    """The segments of documents as token ids, in the order in which they came, each with its seat if that is known."""
    for document in sorted(documents, key=lambda document: document.id):
        text = store.document(document.id).text
        seats = {row.start: Seat(row.rows, row.width, row.row) for row in store.segments(document.id)}
        rows = store.passages(document.id)
        passages = (Passage(row.start, row.end, base.encode(text[row.start : row.end])) for row in rows)
        for segment in segments_of(base, passages):
            yield ids_of(segment), seats.get(segment[0].start)


def segments_of(base: BaseModel, passages: Iterable[Passage]) -> Iterator[list[Passage]]:
    return pack_into_segments(passages, SEGMENT_TOKENS - len(base.start))


def ids_of(segment: list[Passage]) -> list[int]:
    return [token for passage in segment for token in passage.ids]
