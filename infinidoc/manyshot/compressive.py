"""The compressive memory alone: keys in, labels out, and a state of the same size however many examples there are.

It is the least-squares kernel of the model's own memory with a text's key as key and its label as value: linear
ridge regression in closed form, kept as two sums. Examples can be added and taken out in any order.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.model.kernels import LeastSquares, State

RIDGE = 0.1
BLOCK = 1_024  # examples that are written at once


@dataclass(frozen=True)
class LabelMemory:
    """A least-squares memory of examples with keys of D dimensions and C labels: G (D + 1)², C (D + 1) × C."""

    state: State

    @classmethod
    def empty(cls, dimensions: int, labels: int) -> "LabelMemory":
        return cls(LeastSquares().empty(1, 1, dimensions + 1, labels, torch.device("cpu")))

    def write(self, keys: Tensor, targets: Tensor) -> "LabelMemory":
        """Adds examples: keys (N, D), targets (N, C)."""
        state = self.state
        for own, values in zip(keys.split(BLOCK), targets.split(BLOCK), strict=True):
            ones = torch.ones(1, 1, len(own))
            state = LeastSquares().write(state, _with_bias(own), values[None, None], ones, ones[0])
        return LabelMemory(state)

    def __add__(self, other: "LabelMemory") -> "LabelMemory":
        return LabelMemory(self.state + other.state)

    def __sub__(self, other: "LabelMemory") -> "LabelMemory":
        return LabelMemory(self.state - other.state)

    def read(self, queries: Tensor) -> Tensor:
        """What queries (B, D) get of each label (B, C)."""
        kernel = LeastSquares()
        readout = kernel.readout(self.state, torch.tensor([RIDGE]), torch.float32, torch.device("cpu"))
        return kernel.read(readout, _with_bias(queries))[0, 0]


def _with_bias(keys: Tensor) -> Tensor:
    """Keys (N, D) with a constant beside them (1, 1, N, D + 1)."""
    return F.pad(keys.float(), (0, 1), value=1.0)[None, None]
