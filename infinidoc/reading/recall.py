"""Which passages a question needs: exact search over all addresses, block by block, one block per core at a time."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from infinidoc.memory.records import AddressBlock
from infinidoc.model.addresses import score
from infinidoc.model.threads import one_core_each


@dataclass(frozen=True)
class Recalled:
    """A passage that a question found. `score` is at most 1: how well the passage has what the question names."""

    passage: int
    score: float


def recall(
    blocks: list[AddressBlock], question: Tensor, weights: Tensor, top: int, only: Collection[int] | None = None
) -> list[Recalled]:
    """The best `top` passages, best first, for a question as vectors (N, 128) and weights (N,); of `only` these."""

    def scored(block: AddressBlock) -> list[Recalled]:
        block = block if only is None else _part(block, only)
        if not block.passages:
            return []
        scores = score(question, weights, block.addresses, block.rows)
        values, places = torch.topk(scores, min(top, len(scores)))
        nearest = zip(places.tolist(), values.tolist(), strict=True)
        return [Recalled(block.passages[index], value) for index, value in nearest]

    with one_core_each(torch.get_num_threads()) as pool:
        best = [one for found in pool.map(scored, blocks) for one in found]
    return sorted(best, key=lambda recalled: -recalled.score)[:top]


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
    return AddressBlock(block.addresses[seen], [block.passages[i] for i in kept], rows)
