"""What a compressive memory holds: two sums per KV head, and how many tokens went into them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

# Ten million tokens add up to 10⁷ in a single entry, where float32 no longer sees a step below 1.
ACCUMULATOR = torch.float64


def accumulator_device(device: torch.device) -> torch.device:
    """Where the sums live: with the model, except on MPS, which has no float64."""
    return torch.device("cpu") if device.type == "mps" else device


@dataclass(frozen=True)
class State:
    """The constant-size memory of one layer. B rows (independent streams), H KV heads, feature size F, value size V.

    `association` (B, H, F, V) joins features to values: the paper's M, the least-squares C.
    `normaliser` is the paper's z (B, H, F), or the least-squares Gram matrix G (B, H, F, F).
    `tokens` (B,) counts what was written; a row with none is never read.
    The sums are float64. A state is a value: writing makes a new one.
    """

    association: Tensor
    normaliser: Tensor
    tokens: Tensor

    @classmethod
    def zeros(cls, association: Sequence[int], normaliser: Sequence[int], device: torch.device) -> Self:
        """An empty memory of these shapes, for a model on this device."""
        where = accumulator_device(device)
        shapes = association, normaliser, association[:1]
        return cls(*(torch.zeros(tuple(shape), dtype=ACCUMULATOR, device=where) for shape in shapes))

    def tensors(self) -> dict[str, Tensor]:
        return {"association": self.association, "normaliser": self.normaliser, "tokens": self.tokens}

    def __add__(self, other: Self) -> "State":
        """The memory of both streams, for the kernels that promise it (`Kernel.additive`)."""
        pairs = zip(self.tensors().values(), other.tensors().values(), strict=True)
        return State(*(a + b for a, b in pairs))

    def __sub__(self, other: Self) -> "State":
        """Takes a stream out again: undoes `+`, up to one rounding of the sum."""
        pairs = zip(self.tensors().values(), other.tensors().values(), strict=True)
        return State(*(a - b for a, b in pairs))

    def rows(self, index: Tensor | slice) -> "State":
        """The chosen streams of the batch."""
        return State(*(tensor[index] for tensor in self.tensors().values()))

    def total(self) -> "State":
        """All streams of the batch as one (B = 1), for additive kernels."""
        return State(*(tensor.sum(0, keepdim=True) for tensor in self.tensors().values()))

    def detach(self) -> "State":
        return State(*(tensor.detach() for tensor in self.tensors().values()))

    @classmethod
    def cat(cls, states: Iterable[Self]) -> "State":
        """Stacks streams into one batch."""
        columns = zip(*(state.tensors().values() for state in states), strict=True)
        return cls(*(torch.cat(column) for column in columns))


def pack(memory: Sequence[State]) -> dict[str, Tensor]:
    """A memory, one `State` per layer, as files have it: tensors by name, "3.association"."""
    return {f"{layer}.{name}": tensor for layer, state in enumerate(memory) for name, tensor in state.tensors().items()}


def unpack(tensors: Mapping[str, Tensor]) -> list[State] | None:
    """The opposite of `pack`; None if there is nothing."""
    layers: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        layer, name = key.split(".")
        layers.setdefault(int(layer), {})[name] = tensor
    return [State(**layers[layer]) for layer in sorted(layers)] or None


@dataclass(frozen=True)
class Readout:
    """A state made ready to be read many times, in the model's precision: `matrix` (B, H, F, V), `normaliser` (B, H, F)
    where the kernel divides by one, and `present` (B,): 1 for streams that hold anything, 0 for empty ones."""

    matrix: Tensor
    normaliser: Tensor | None
    present: Tensor
