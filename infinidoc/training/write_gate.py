"""Fits the write gate of slots: which pairs will be looked at, foreseen from hidden states alone (KVzap, 2601.07891).

Excerpts of whole books are read with full attention. For each token of an excerpt's first half, layer and KV head, the
log of the attention that it receives from the second half is regressed on what enters the layer's attention there. That
is ridge regression: one pass over the text adds up products, and the gates are their solution. There are no steps and
no gradients.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.model.attention import CompressiveMemory, Inputs, attach
from infinidoc.model.base import BaseModel
from infinidoc.model.rotation import Rotation
from infinidoc.model.slots import SINKS
from infinidoc.training.books import Books

LEAST = 1e-9  # attention, before its logarithm is taken
HELD_OUT = 6  # one excerpt of so many is not fitted to, but foreseen


@dataclass(frozen=True)
class Settings:
    """`excerpts` of `length` tokens; `ridge` is a share of each feature's mean square."""

    excerpts: int = 24
    length: int = 2048
    ridge: float = 1e-2
    seed: int = 0


@dataclass(frozen=True)
class Gates:
    """`tensors` as adapters name them, and how much of the variance of the log of attention they explain in excerpts
    that they were not fitted to: the mean over layers and heads."""

    tensors: dict[str, Tensor]
    explained: float


class Watching(CompressiveMemory):
    """Notes what enters each layer's attention; one slot, so that queries are kept as well."""

    def __init__(self, model: object):
        super().__init__(model, slots=1, keep=("attention",))  # type: ignore[arg-type]
        self.entering: dict[int, Tensor] = {}

    def inputs(self, layer: int, hidden: Tensor, rotation: Rotation | None) -> Inputs:
        self.entering[layer] = hidden
        return super().inputs(layer, hidden, rotation)


class Sums:
    """Of features X (N, D + 1) and targets Y (N, K): XᵀX, XᵀY, ΣY, ΣY² and N, which the best map and its error need."""

    def __init__(self, features: int, targets: int, device: torch.device):
        self.gram, self.cross = (torch.zeros(features, size, device=device) for size in (features, targets))
        self.total, self.squares = (torch.zeros(targets, device=device) for _ in range(2))
        self.count = 0

    def add(self, x: Tensor, y: Tensor) -> None:
        self.gram += x.T @ x
        self.cross += x.T @ y
        self.total += y.sum(0)
        self.squares += y.square().sum(0)
        self.count += len(x)

    def solved(self, ridge: float) -> Tensor:
        """(D + 1, K), the last row of which is the constant, on which there is no ridge."""
        gram = self.gram.double()
        penalty = ridge * gram.diag()
        penalty[-1] = 0
        return torch.linalg.solve(gram + penalty.diag(), self.cross.double()).float()

    def explained(self, found: Tensor) -> Tensor:
        """The share (K,) of the targets' variance that a map explains."""
        errors = self.squares - 2 * (found * self.cross).sum(0) + (found * (self.gram @ found)).sum(0)
        return 1 - errors / (self.squares - self.total.square() / self.count)


@torch.no_grad()
def fit(base: BaseModel, books: Books, settings: Settings, notify: Callable[[int], None] = lambda done: None) -> Gates:
    """`notify` hears of excerpts as they are read. Raises InfinidocError if no book is as long as an excerpt."""
    long, rng = books.longer_than(settings.length), random.Random(settings.seed)
    attach(base.model, first_layer=len(base.model.get_decoder().layers))  # nothing is behind the window
    fitted: list[Sums] = []
    held: list[Sums] = []
    for number in range(settings.excerpts):
        book = rng.choices(long, [len(book) for book in long])[0]
        begin = rng.randrange(len(book) - settings.length)
        ids = [*base.start, *book[begin : begin + settings.length - len(base.start)].tolist()]
        pairs = looked_at(base, torch.tensor([ids], device=base.device))
        sums = held if number % HELD_OUT == HELD_OUT - 1 else fitted
        for layer, (x, y) in enumerate(pairs):
            if layer == len(sums):
                sums.append(Sums(x.shape[1], y.shape[1], x.device))
            sums[layer].add(x, y)
        notify(number + 1)
    tensors, explained = {}, []
    for layer, found in enumerate(sums.solved(settings.ridge) for sums in fitted):
        tensors[f"layers.{layer}.infini.keep_weight"], tensors[f"layers.{layer}.infini.keep_bias"] = (
            found[:-1],
            found[-1],
        )
        explained += [share for sums in held[layer : layer + 1] for share in sums.explained(found).tolist()]
    return Gates(tensors, sum(explained) / max(1, len(explained)))


def looked_at(base: BaseModel, ids: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Of each layer, for the first half of token ids (1, N) without the first few, which always stay: what enters its
    attention and a constant, (N / 2, D + 1); and the log of the attention from the second half, a mean over queries and
    a sum over the heads of a group, (N / 2, K)."""
    memory, half = Watching(base.model), ids.shape[1] // 2
    memory.block(True)
    base.model.get_decoder()(input_ids=ids, past_key_values=memory)
    counting = torch.arange(ids.shape[1], device=ids.device)[None] >= half
    found = []
    for index, layer in enumerate(memory.layers):
        assert layer.keys is not None
        received = layer.slots.attention(layer.keys, torch.ones_like(counting), counting)[0, :, SINKS:half]
        x = F.pad(memory.entering[index][0, SINKS:half].float(), (0, 1), value=1.0)
        found.append((x, (received / counting.sum()).clamp(min=LEAST).log().T))
    return found
