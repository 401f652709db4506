"""What is fast elsewhere, word for word as it is defined: the oracle of the tests."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.model.addresses import SCALE
from infinidoc.model.attention import unrotate
from infinidoc.model.quantization import quantised
from infinidoc.model.slots import LATE, RECENT, SINKS, Misses, Turn, rotate


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


@dataclass
class Pair:
    """A token's key without rotation and its value, of one KV head, and the attention that they have received."""

    key: Tensor
    value: Tensor
    received: float = 0.0
    late: float = 0.0
    missed: float = 0.0


class LayerSlots:
    """`slots.LayerSlots`, one row, head and token after the other: rows are lists, so that there is no padding, and the
    positions are those that the slots are said to have, 0 … S − 1 and the window from S on."""

    def __init__(self, size: int, keep: Sequence[str], turn: Turn):
        self.size, self.keep, self.turn = size, keep, turn
        self.held: list[list[list[Pair]]] | None = None  # of each row and KV head
        self.looks: list[tuple[int, int, int, list[float]]] = []  # row, head, token; what each pair got of it

    def record(self, *_: Any) -> None:
        """What a fold needs is what `attend` saw."""

    def clear(self) -> None:
        pass

    def placed(self, x: Tensor, position: int) -> Tensor:
        return rotate(x[None, None, None], self.turn(torch.tensor([position]), x.dtype))[0, 0, 0]

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None, sliding: int | None
    ) -> Tensor:
        rows, heads, tokens, dim = query.shape
        query, key = (unrotate(x, self.turn(torch.arange(x.shape[2]), x.dtype)) for x in (query, key))
        group, window = heads // key.shape[1], key.shape[2]
        output = torch.zeros(rows, tokens, heads, value.shape[-1])
        self.looks = []
        for b, k in torch.cartesian_prod(torch.arange(rows), torch.arange(key.shape[1])).tolist():
            slots = self.held[b][k] if self.held else []
            pairs = [*((p.key, p.value) for p in slots), *zip(key[b, k], value[b, k], strict=True)]
            placed = [self.placed(own, position) for position, (own, _) in enumerate(pairs)]
            for h, n in torch.cartesian_prod(torch.arange(k * group, k * group + group), torch.arange(tokens)).tolist():
                at = len(slots) + window - tokens + n
                asked = self.placed(query[b, h, n], at) * (dim**-0.5 if scale is None else scale)
                weights = [math.exp(float(asked @ own)) for own in placed[: at + 1]]
                for position in range(at + 1):
                    inside = position - len(slots)
                    if inside >= 0 and mask is not None and not mask[b, 0, n, inside]:
                        weights[position] = 0.0
                    if sliding is not None and at - position >= sliding:
                        weights[position] = 0.0
                weights = [weight / math.fsum(weights) for weight in weights]
                output[b, n, h] = sum(w * v for w, (_, v) in zip(weights, pairs, strict=False))
                self.looks.append((b, h, n, weights))
        return output

    def fold(self, keys: Tensor, plain: Tensor, values: Tensor, mask: Tensor, misses: Misses) -> None:
        rows, kv_heads, tokens, _ = plain.shape
        held = self.held or [[[] for _ in range(kv_heads)] for _ in range(rows)]
        heads = 1 + max(h for _, h, _, _ in self.looks)
        self.held = []
        for b in range(rows):
            real = [n for n in range(tokens) if mask[b, n]]
            self.held.append([])
            for k in range(kv_heads):
                window = [Pair(plain[b, k, n], values[b, k, n]) for n in range(tokens)]
                pairs = [*held[b][k], *(Pair(p.key, p.value, p.received) for p in window)]
                for row, h, n, weights in self.looks:
                    if row == b and h // (heads // kv_heads) == k and n in real:
                        for pair, weight in zip(pairs, weights, strict=False):
                            pair.received += weight
                            pair.late += weight if n in real[-LATE:] else 0
                self.held[b].append([*pairs[: len(held[b][k])], *(pairs[len(held[b][k]) + n] for n in real)])
        width = max(len(pairs) for row in self.held for pairs in row)
        blank = Pair(torch.zeros_like(plain[0, 0, 0]), torch.zeros_like(values[0, 0, 0]))
        padded = [[pairs + [blank] * (width - len(pairs)) for pairs in row] for row in self.held]
        keys, values = (
            torch.stack(
                [torch.stack([torch.stack([getattr(p, name) for p in pairs]) for pairs in row]) for row in padded]
            )
            for name in ("key", "value")
        )
        missed = misses(keys, values, torch.tensor([[n < len(row[0]) for n in range(width)] for row in self.held]))
        for b, k in torch.cartesian_prod(torch.arange(rows), torch.arange(kv_heads)).tolist():
            for n, pair in enumerate(self.held[b][k]):
                pair.missed = float(missed[b, k, n])
            self.held[b][k] = self.cut(self.held[b][k])
            for pair in self.held[b][k]:
                pair.late = 0.0

    def cut(self, pairs: list[Pair]) -> list[Pair]:
        recent = min(RECENT, self.size // 4, max(0, self.size - SINKS))
        stay = set(range(len(pairs))[: min(SINKS, self.size)]) | set(range(len(pairs))[len(pairs) - recent :])
        room = self.size - min(SINKS, self.size) - recent
        for share, name in enumerate(self.keep, 1):
            field = {"attention": "received", "late": "late", "residual": "missed"}[name]
            best = sorted(set(range(len(pairs))) - stay, key=lambda n: (-getattr(pairs[n], field), n))
            stay |= set(best[: max(0, self.size - room + room * share // len(self.keep) - len(stay))])
        return [pairs[n] for n in sorted(stay)]
