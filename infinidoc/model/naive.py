"""What is fast elsewhere, word for word as it is defined: the oracle of the tests."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.model.addresses import ADDED, INTRODUCED, SCALE
from infinidoc.model.quantization import quantised
from infinidoc.model.rotation import Turn, rotate, unrotate
from infinidoc.model.slots import DECAY, LATE, RIDGE, SAMPLED, SINKS, Slots


def score(question: Tensor, weights: Tensor, addresses: Tensor, rows: Sequence[int]) -> Tensor:
    """`addresses.score`: late interaction of a question (N, 128) with passages of addresses (R, 128)."""
    scores = []
    for start, end in zip(rows, [*rows[1:], len(addresses)], strict=True):
        passage = [address.float() / SCALE for address in addresses[start:end]]
        scores.append(
            math.fsum(float(w) * max(float(q @ p) for p in passage) for q, w in zip(question, weights, strict=True))
        )
    return torch.tensor(scores)


def introduced(weights: Tensor, cosines: Tensor, opening: Tensor) -> Tensor:
    """`addresses.introduced`, of cosines (N, P) of passages and of their documents' openings."""
    scores = []
    for mine, its in zip(cosines.T.tolist(), opening.T.tolist(), strict=True):
        alone = whole = added = 0.0
        for weight, own, first in zip(weights.tolist(), mine, its, strict=True):
            alone += weight * own
            whole += weight * max(own, INTRODUCED * first)
            added += weight * max(0.0, own - first)
        share = min(1.0, added / ADDED)
        scores.append(share * whole + (1 - share) * alone)
    return torch.tensor(scores)


def int8_linear(x: Tensor, weight: Tensor) -> Tensor:
    """`quantization.Int8Linear`, in float64: x (N, in) and weight (out, in) to (N, out)."""
    (a, s), (b, t) = quantised(x), quantised(weight)
    return F.linear(a.double() * s.double(), b.double() * t.double())


@dataclass
class Pair:
    """One pair of `Slots`."""

    key: Tensor
    value: Tensor
    received: float | Tensor = 0.0
    foreseen: float | Tensor = 0.0
    weight: float | Tensor = 0.0


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

    def fold(self, keys: Tensor, window: Slots, wanted: bool = True) -> Slots:
        rows, kv_heads, tokens, _ = window.keys.shape
        held = self.held or [[[] for _ in range(kv_heads)] for _ in range(rows)]
        heads = 1 + max(h for _, h, _, _ in self.looks)
        self.held = []
        leaving: list[list[list[Pair]]] = []
        for b in range(rows):
            real = [n for n in range(tokens) if window.present[b, n]]
            asking, counts = real, 1.0
            if "attention" not in self.keep and len(real) > SAMPLED:
                asking = [real[math.ceil((i + 1) * len(real) / SAMPLED) - 1] for i in range(SAMPLED)]
                counts = len(real) / SAMPLED
            self.held.append([])
            leaving.append([])
            for k in range(kv_heads):
                for pair in held[b][k]:
                    pair.received = pair.received * DECAY
                told = (window.keys, window.values, window.received, window.foreseen, window.weights)
                pairs = [*held[b][k], *(Pair(*(x[b, k, n] for x in told)) for n in range(tokens))]
                late = [0.0] * len(pairs)
                for row, h, n, weights in self.looks:
                    if row == b and h // (heads // kv_heads) == k and n in real:
                        for index, weight in enumerate(weights):
                            pairs[index].received = pairs[index].received + counts * weight * (n in asking)
                            late[index] += weight if n in real[-LATE:] else 0
                there = [*range(len(held[b][k])), *(len(held[b][k]) + n for n in real)]
                pairs, late = [pairs[index] for index in there], [late[index] for index in there]
                stay = self.stay(pairs, late)
                self.held[b].append([pairs[index] for index in sorted(stay)])
                leaving[b].append([pair for index, pair in enumerate(pairs) if index not in stay])
        return as_slots(leaving, window)

    def stay(self, pairs: list[Pair], late: list[float]) -> set[int]:
        recent = min(self.size // 2, max(0, self.size - SINKS))
        stay = set(range(len(pairs))[: min(SINKS, self.size)]) | set(range(len(pairs))[len(pairs) - recent :])
        room = self.size - min(SINKS, self.size) - recent
        scores = {
            "attention": [float(pair.received) for pair in pairs],
            "sampled": [float(pair.received) for pair in pairs],
            "late": late,
            "learnt": [float(pair.foreseen) for pair in pairs],
            "residual": missed(pairs),
            "recent": [float(n) for n in range(len(pairs))],
        }
        for share, name in enumerate(self.keep, 1):
            best = sorted(set(range(len(pairs))) - stay, key=lambda n: (-scores[name][n], n))
            stay |= set(best[: max(0, self.size - room + room * share // len(self.keep) - len(stay))])
        return stay


def missed(pairs: list[Pair]) -> list[float]:
    """`slots.residual`, in float64."""
    if not pairs:
        return []
    keys = torch.stack([pair.key / pair.key.norm() for pair in pairs]).double()
    gram = RIDGE * torch.eye(keys.shape[-1]).double()
    reading = torch.zeros(keys.shape[-1], len(pairs[0].value)).double()
    for key, pair in zip(keys, pairs, strict=True):
        gram += torch.outer(key, key)
        reading += torch.outer(key, pair.value.double())
    return [float((key @ gram.inverse() @ reading - pair.value).norm()) for key, pair in zip(keys, pairs, strict=True)]


def as_slots(rows: list[list[list[Pair]]], like: Slots) -> Slots:
    """Pairs by row and KV head as tensors; those of a row that has fewer stand at the end."""
    width = max(len(pairs) for row in rows for pairs in row)
    index = torch.zeros(*like.weights.shape[:2], width, dtype=torch.long)
    slots = like.at(index, torch.zeros(len(rows), width, dtype=torch.bool))
    for b, row in enumerate(rows):
        for k, pairs in enumerate(row):
            for n, pair in enumerate(pairs, width - len(pairs)):
                slots.present[b, n] = True
                for tensor, field in zip(slots.tensors().values(), fields(Pair), strict=False):
                    tensor[b, k, n] = getattr(pair, field.name)
    return slots
