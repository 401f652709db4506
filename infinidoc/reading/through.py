"""Documents read from start to end, through a memory of constant size: so many keys and values per layer and KV head.

What is read of a document is kept beside its collection, by document, model and what was merged into that: it is read
once, and a reading that was cut short goes on where it stopped.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from infinidoc.documents.segmentation import SEGMENT_TOKENS
from infinidoc.errors import Unwritable
from infinidoc.memory.records import MemoryKey, PassageRow, StoredDocument
from infinidoc.memory.store import Store
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.decoding import read
from infinidoc.model.encoding import add
from infinidoc.model.loading import merged
from infinidoc.model.slots import KEEP, Slots, rule
from infinidoc.reading.answers import display

SLOTS = 256
SAVE_SECONDS = 60.0


@dataclass
class ReadingProgress:
    """How far it is with the documents that are to be read, in tokens; `read` leaves out what was kept from before."""

    total: int
    done: int = 0
    read: int = 0
    name: str = ""


def read_documents(
    store: Store,
    base: BaseModel,
    documents: Sequence[StoredDocument],
    notify: Callable[[ReadingProgress], None] = lambda progress: None,
) -> CompressiveMemory:
    """The memories of documents, side by side, as one; what is not kept yet is read, and kept."""
    progress = ReadingProgress(sum(document.tokens for document in documents))
    return side_by_side([_read(store, base, document, progress, notify) for document in documents])


def side_by_side(memories: Sequence[CompressiveMemory]) -> CompressiveMemory:
    """Memories of several texts as one with all their slots, in which their sums are added up."""
    joined = memories[0].copy()
    for another in memories[1:]:
        if another.state:
            joined.load(add(joined.state, another.state))
    for layer, held in zip(joined.layers, zip(*(memory.slots for memory in memories), strict=True), strict=True):
        layer.slots.set(Slots.side_by_side(held))
    return joined


def parts(text: str, rows: Sequence[PassageRow]) -> Iterator[tuple[int, str, int]]:
    """A text as it is read: consecutive passages, so many as a segment holds, with the space between them. Each comes
    with where it ends, and with how many tokens its passages have."""
    begun, tokens = rows[0].start if rows else 0, 0
    for row in rows:
        if tokens and tokens + row.tokens > SEGMENT_TOKENS:
            yield row.start, text[begun : row.start], tokens
            begun, tokens = row.start, 0
        tokens += row.tokens
    if rows:
        yield rows[-1].end, text[begun : rows[-1].end], tokens


def _read(
    store: Store,
    base: BaseModel,
    document: StoredDocument,
    progress: ReadingProgress,
    notify: Callable[[ReadingProgress], None],
) -> CompressiveMemory:
    key = MemoryKey(base.digest, merged(base), rule(SLOTS, KEEP))
    memory = CompressiveMemory(base.model, slots=SLOTS, keep=KEEP)
    rows, kept = store.passages(document.id), store.memory_of(document.id, key)
    end = saved = kept.end if kept else 0
    if kept:
        memory.load_tensors(_as_computed(base, kept.tensors))
    progress.name = display(document.path)
    progress.done += sum(row.tokens for row in rows if row.start < end)
    notify(progress)
    left, at = [row for row in rows if row.start >= end], time.monotonic()
    text = store.document(document.id).text if left else ""

    def save() -> None:
        with suppress(Unwritable), store.writing():  # another process writes, say: then it is read again
            store.keep_memory(document.id, key, end, memory.tensors())

    try:
        for stop, part, tokens in parts(text, left):
            memory, end = _further(base, memory, [*([] if end else base.start), *base.encode(part)]), stop
            progress.done += tokens
            progress.read += tokens
            notify(progress)
            if time.monotonic() - at > SAVE_SECONDS:
                save()
                saved, at = end, time.monotonic()
    finally:
        if end > saved:
            save()
    return memory


@torch.no_grad()
def _further(base: BaseModel, memory: CompressiveMemory, ids: Sequence[int]) -> CompressiveMemory:
    """What is left when a memory has read on. It stays as it is itself: an interrupt may come between two layers."""
    twin = memory.copy()
    read(base, torch.tensor([list(ids)], device=base.device), twin)
    twin.fold()
    return twin


def _as_computed(base: BaseModel, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What was kept, in the precision in which the model is loaded now."""
    held = (".keys", ".values")
    return {
        name: tensor.to(base.device, base.dtype if name.endswith(held) else tensor.dtype)
        for name, tensor in tensors.items()
    }
