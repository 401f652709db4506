"""The second pass of an ingest: what the first one made ready to be asked about goes into the compressive memory."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from infinidoc.memory.records import PendingSegment, PendingWindow
from infinidoc.memory.store import Store
from infinidoc.model.attention import remembering
from infinidoc.model.base import BaseModel
from infinidoc.model.encoding import Begun, Encoder, Running, Seat, add
from infinidoc.model.kernels import State, pack, unpack
from infinidoc.reading.summary import IngestProgress, Summary

if TYPE_CHECKING:
    from torch import Tensor

    from infinidoc.reading.cluster import Cluster

HIDDEN = "hidden"


def packed(begun: Begun) -> "dict[str, Tensor]":
    """What the first pass leaves of a window, as the store keeps it."""
    import torch

    return {HIDDEN: torch.cat(begun.hidden), **pack(begun.state)}


def remember(
    store: Store,
    base: BaseModel,
    reader: "Encoder | Cluster",
    summary: Summary,
    progress: IngestProgress,
    notify: Callable[[IngestProgress], None] = lambda progress: None,
) -> None:
    """Reads all that the memory doesn't hold yet, window by window; each is committed as soon as it is read.

    Belongs inside `store.writing()`.
    """
    progress.to_remember = store.pending_tokens()

    def advance(tokens: int) -> None:
        progress.remembered += tokens
        notify(progress)

    advance(0)
    state = held(store, base)
    texts = Texts(store, base)
    running: deque[tuple[PendingWindow, Running[list[State]]]] = deque()

    def commit() -> None:
        nonlocal state
        window, wait = running.popleft()
        state = add(state, wait(advance))
        store.remember(window, state)
        summary.remembered += sum(segment.tokens for segment in window.segments)

    for window in _windows(store):
        seats = [Seat(pending.segment.rows, pending.segment.width, pending.segment.row) for pending in window.segments]
        running.append((window, reader.second_pass(_begun(store, base, window) or texts.ids(window), seats)))
        if len(running) > reader.ahead:
            commit()
    while running:
        commit()


def held(store: Store, base: BaseModel) -> list[State] | None:
    """A collection's memory, of the layers that remember: it has more if it began before its adapter said which is the
    last."""
    state = store.state()
    return state[: len(remembering(base.model))] if state else None


def how_far(store: Store) -> str:
    """How much the memory holds, in one line for those who are answered from it; empty if it holds everything."""
    pending = store.pending_tokens()
    total = sum(document.tokens for document in store.documents()) if pending else 0
    line = "the compressive memory has read {:,} of {:,} tokens so far: the next ingest goes on from there"
    return line.format(total - pending, total) if pending else ""


def _windows(store: Store) -> Iterator[PendingWindow]:
    window = store.next_window()
    while window:
        yield window
        window = store.next_window(window.number)


def _begun(store: Store, base: BaseModel, window: PendingWindow) -> Begun | None:
    if (kept := store.begun(window)) is None:
        return None
    hidden = kept.pop(HIDDEN).split([len(base.start) + segment.tokens for segment in window.segments])
    return Begun(list(hidden), unpack(kept) or [])


class Texts:
    """Segments as token ids, from the text that the collection has; of the last document it is held."""

    def __init__(self, store: Store, base: BaseModel):
        self._store, self._base = store, base
        self._document, self._text = 0, ""

    def ids(self, window: PendingWindow) -> list[list[int]]:
        return [self._ids_of(segment) for segment in window.segments]

    def _ids_of(self, pending: PendingSegment) -> list[int]:
        if pending.document != self._document:
            self._document, self._text = pending.document, self._store.document(pending.document).text
        passages = self._store.passages_in(pending.document, pending.segment)
        return [token for row in passages for token in self._base.encode(self._text[row.start : row.end])]
