"""Which passages a question needs: exact search over all addresses, block by block, one block per core at a time."""

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


def recall(blocks: list[AddressBlock], question: Tensor, weights: Tensor, top: int) -> list[Recalled]:
    """The best `top` passages, best first, for a question as vectors (N, 128) and weights (N,)."""
    best: list[Recalled] = []
    with one_core_each(torch.get_num_threads()) as pool:
        found = pool.map(lambda block: score(question, weights, block.addresses, block.rows), blocks)
        for block, scores in zip(blocks, found, strict=True):
            values, places = torch.topk(scores, min(top, len(scores)))
            nearest = zip(places.tolist(), values.tolist(), strict=True)
            best += [Recalled(block.passages[index], value) for index, value in nearest]
    return sorted(best, key=lambda recalled: -recalled.score)[:top]
