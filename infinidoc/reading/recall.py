"""Which passages a question needs: exact search over all addresses, block by block."""

from dataclasses import dataclass

import torch
from torch import Tensor

from infinidoc.memory.records import AddressBlock
from infinidoc.model.addresses import score


@dataclass(frozen=True)
class Recalled:
    """A passage that a question found. `score` is at most 1: how well the passage has what the question names."""

    passage: int
    score: float


def recall(blocks: list[AddressBlock], question: Tensor, weights: Tensor, top: int) -> list[Recalled]:
    """The best `top` passages, best first, for a question as vectors (N, 128) and weights (N,)."""
    best: list[Recalled] = []
    for block in blocks:
        scores = score(question, weights, block.addresses, block.rows)
        values, places = torch.topk(scores, min(top, len(scores)))
        found = zip(places.tolist(), values.tolist(), strict=True)
        best += [Recalled(block.passages[index], value) for index, value in found]
    return sorted(best, key=lambda recalled: -recalled.score)[:top]
