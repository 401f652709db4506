"""What is fast elsewhere, word for word as it is defined: the oracle of the tests."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.model.addresses import SCALE
from infinidoc.model.quantization import quantised


def score(question: Tensor, weights: Tensor, addresses: Tensor, rows: Sequence[int]) -> Tensor:
    """`addresses.score`: late interaction of a question (N, 128) with passages of addresses (R, 128)."""
    scores = []
    for start, end in zip(rows, [*rows[1:], len(addresses)], strict=True):
        passage = [address.float() / SCALE for address in addresses[start:end]]
        scores.append(
            math.fsum(float(w) * max(float(q @ p) for p in passage) for q, w in zip(question, weights, strict=True))
        )
    return torch.tensor(scores)


def int8_linear(x: Tensor, weight: Tensor) -> Tensor:
    """`quantization.Int8Linear`, in float64: x (N, in) and weight (out, in) to (N, out)."""
    (a, s), (b, t) = quantised(x), quantised(weight)
    return F.linear(a.double() * s.double(), b.double() * t.double())
