"""Which passages a question needs: exact search over all addresses, block by block, one block per core at a time.

A passage says "she" of whom its document's opening names. So what the opening has of a question counts, a little less,
for the passages after it, too: as far as they add to it, or all of a document would be found with its opening.
Nothing of that is kept: it is as exact, and as soon gone, as the addresses.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from infinidoc.memory.records import AddressBlock
from infinidoc.model.addresses import best_cosines, introduced
from infinidoc.model.threads import one_core_each


@dataclass(frozen=True)
class Recalled:
    """A passage that a question found. `score` is at most 1: how well the passage has what the question names."""

    passage: int
    score: float


def recall(
    blocks: list[AddressBlock], question: Tensor, weights: Tensor, top: int, only: Collection[int] | None = None
) -> list[Recalled]:
    """The best `top` passages, best first, for a question as vectors (N, 128) and weights (N,); of `only` these, which
    are whole documents'."""

    def compared(block: AddressBlock) -> tuple[AddressBlock, Tensor]:
        block = block if only is None else _part(block, only)
        return block, best_cosines(question, block.addresses, block.rows)

    with one_core_each(torch.get_num_threads()) as pool:
        found = list(pool.map(compared, blocks))
    passages = [passage for block, _ in found for passage in block.passages]
    openings = [opening for block, _ in found for opening in block.openings]
    if not passages:
        return []
    scores = scores_of(weights, torch.cat([cosines for _, cosines in found], 1), passages, openings)
    values, places = torch.topk(scores, min(top, len(passages)))
    nearest = zip(places.tolist(), values.tolist(), strict=True)
    return [Recalled(passages[place], value) for place, value in nearest]


def scores_of(weights: Tensor, cosines: Tensor, passages: Sequence[int], openings: Sequence[int]) -> Tensor:
    """Scores (P,) of passages that have a question's tokens, of weights (N,), so well (N, P), each in the light of its
    document's opening, where that is among them."""
    known, wanted = np.asarray(passages), np.asarray(openings)
    order = np.argsort(known)
    at = order[np.searchsorted(known, wanted, sorter=order).clip(max=len(known) - 1)]
    return introduced(weights, cosines, cosines[:, np.where(known[at] == wanted, at, np.arange(len(known)))])


def _part(block: AddressBlock, passages: Collection[int]) -> AddressBlock:
    """What a block has of these passages."""
    ends = [*block.rows[1:], len(block.addresses)]
    kept = [index for index, passage in enumerate(block.passages) if passage in passages]
    if len(kept) == len(block.passages):
        return block
    runs: list[tuple[int, int]] = []  # of rows, one for all passages that follow each other
    rows, total = [], 0
    for index in kept:
        start, end = block.rows[index], ends[index]
        runs.append((runs.pop()[0] if runs and runs[-1][1] == start else start, end))
        rows.append(total)
        total += end - start
    seen = torch.cat([torch.arange(start, end) for start, end in runs]) if runs else torch.empty(0, dtype=torch.long)
    own, openings = ([of[index] for index in kept] for of in (block.passages, block.openings))
    return AddressBlock(block.addresses[seen], own, rows, openings)
