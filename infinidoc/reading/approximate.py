"""Recall among more tokens than an exact search can look at in time: an inverted file with product quantisation (faiss;
arXiv 1702.08734) proposes passages, and those are compared exactly. Needs infinidoc[index].

An index covers the passages up to the one that was the last when it was built. Later ones are searched exactly, until
there are enough of them for a new index; when a document goes, its index goes with it. `benchmarks/approximate.py`
measures what it misses, and when it pays.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from infinidoc.memory.records import AddressBlock
from infinidoc.memory.store import Store
from infinidoc.model.addresses import SCALE
from infinidoc.model.codes import Codes
from infinidoc.reading.recall import Recalled, recall, scores_of

EXACT_TOKENS = 10_000_000  # that are searched exactly: about two thirds of a second of one core
CANDIDATES = 512  # passages that are compared exactly
CELLS_READ = 32  # per token of a question
TOKENS_FOUND = 256  # per token of a question
CODE = "PQ16"  # 16 bytes a token, and 8 for the number of its passage
TRAINING_TOKENS = 64  # per cell


@dataclass(frozen=True)
class Index:
    """`until` is the last passage that it covers."""

    inverted: Any
    until: int

    def candidates(
        self, store: Store, question: Tensor, weights: Tensor, only: Iterable[int] | None = None
    ) -> list[int]:
        """The passages that look best, of `only` these, for a question as vectors (N, 128) and weights (N,); and the
        openings of their documents.

        A question's token that found nothing in a passage counts there as the worst that it found anywhere.
        """
        import faiss

        chosen = None if only is None else faiss.IDSelectorBatch(np.fromiter(only, np.int64))
        parameters: Any = faiss.SearchParametersIVF
        how = parameters(sel=chosen, nprobe=CELLS_READ)
        cosines, passages = self.inverted.search(np.ascontiguousarray(question.numpy()), TOKENS_FOUND, params=how)
        known, place = np.unique(passages, return_inverse=True)
        place = place.reshape(passages.shape)
        best = np.repeat(np.where(passages >= 0, cosines, np.inf).min(1, keepdims=True), len(known), axis=1)
        for token, row in enumerate(place):
            np.maximum.at(best[token], row, cosines[token])
        opening = store.openings(known.tolist())
        openings = [opening.get(passage, passage) for passage in known.tolist()]
        scores = scores_of(weights, torch.from_numpy(best), known.tolist(), openings)
        order = [index for index in torch.argsort(scores, descending=True).tolist() if known[index] >= 0][:CANDIDATES]
        return list(dict.fromkeys(int(passage) for index in order for passage in (known[index], openings[index])))


def installed() -> bool:
    return find_spec("faiss") is not None


def is_due(store: Store) -> bool:
    """Whether more is searched exactly than should be, and an index can be built."""
    return store.tokens_after(store.indexed_until) > EXACT_TOKENS and installed()


def is_missed(store: Store) -> bool:
    """Whether an index would help, and can't be built."""
    return store.tokens_after(0) > EXACT_TOKENS and not installed()


def build(store: Store) -> None:
    """Makes an index of all addresses. Takes as much memory as the index itself, and minutes per ten million tokens."""
    import faiss

    blocks, width = store.addresses(), store.address_head()["projection"].shape[1]
    rows = sum(len(block.addresses) for block in blocks)
    cells = 2 ** round(math.log2(math.sqrt(rows)))
    inverted = faiss.index_factory(width, f"IVF{cells},{CODE}", faiss.METRIC_INNER_PRODUCT)
    generator = torch.Generator().manual_seed(0)
    share = min(1.0, TRAINING_TOKENS * cells / rows)
    sample = [_vectors(b.addresses[torch.rand(len(b.addresses), generator=generator) < share]) for b in blocks]
    inverted.train(np.concatenate(sample))
    for block in blocks:
        sizes = np.diff([*block.rows, len(block.addresses)])
        inverted.add_with_ids(_vectors(block.addresses), np.repeat(np.asarray(block.passages, dtype=np.int64), sizes))
    with store.new_index(max(max(block.passages) for block in blocks)) as file:
        faiss.write_index(inverted, str(file))


def open_index(store: Store) -> Index | None:
    """The collection's index, memory-mapped; None if it has none, or faiss isn't installed."""
    path, until = store.index, store.indexed_until
    if path is None or not installed():
        return None
    import faiss

    try:
        inverted: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
    except RuntimeError:  # gone by now, or damaged: an exact search is slower and right
        return None
    return Index(inverted, until)


def recall_with(
    index: Index,
    store: Store,
    later: list[AddressBlock],
    question: Tensor,
    weights: Tensor,
    top: int,
    only: Collection[int] | None = None,
) -> list[Recalled]:
    """`recall`, where `later` are the blocks that hold passages which the index doesn't cover."""
    there = {passage for block in later for passage in block.passages}
    proposed = [passage for passage in index.candidates(store, question, weights, only) if passage not in there]
    return recall([*later, store.block_of(proposed)], question, weights, top, only)


def _vectors(addresses: Tensor | Codes) -> np.ndarray[Any, Any]:
    return (addresses.float() / SCALE).numpy()
