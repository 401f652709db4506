"""Slots: a fixed number of key and value pairs per layer and KV head, kept word for word of all that was read.

    memory = CompressiveMemory(model, slots=256)
    for segment in segments:
        model(segment, past_key_values=memory)      # attends to the slots and to itself, in one softmax
        memory.fold()                               # window and slots are cut back to 256 pairs

Keys are kept without rotation. The slots stand right before the window, in the order in which their tokens stood,
without gaps: at positions 0 … S − 1, the window from S on. Rotary attention feels only differences, so that is computed
with the window at 0 and the slots at −S … −1, and decoders count positions as if there were no slots. Where a layer has
a sliding window, its rule holds for these positions: a query sees the slots that are less than its width before it.

The first four pairs, which attention rests on, and the most recent, half of all, always stay. Which others do is for
`keep` to say; each name in it has an equal share of the room:
    attention   received so far, summed over all queries of the KV head's group, segment after segment (as H2O,
                2306.14048); what was received earlier counts half as much with every segment
    sampled     the same, summed over 16 queries that are spread evenly over each segment, and scaled up
    late        received from the segment's last 128 queries alone: one block of the matrix (as SnapKV, 2404.14469)
    learnt      what a write gate foresees from the token's hidden state (as KVzap, 2601.07891): no attention is needed
    residual    how badly least squares over all candidates gives the value back: what a sum can't hold (as LoLA,
                2505.23666)
    recent      nothing is chosen, all others are recent too (as StreamingLLM, 2309.17453)
What leaves goes into the sum.

Slots are not sums: they don't add up, depend on the order of what was read, and nothing can be taken out of them again.
So a collection, from which documents are removed, keeps them of single documents only (see `reading/through.py`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.model.causal import causal_attention
from infinidoc.model.rotation import Turn, rotate

SINKS = 4
DECAY = 0.5  # of attention received, with every segment
LATE = 128  # queries
BLOCK = 64  # queries that attend, or are looked at, together: behind slots their scores stay in a core's own cache
SAMPLED = 16  # queries of a segment
WAYS = ("attention", "sampled", "late", "learnt", "residual", "recent")
KEEP = ("sampled", "residual")  # beside the recent half: what serves both going on with a text and asking for a fact
VERSION = "half of them recent"  # of the rule: another one where `choose`, a score or a number here chooses other pairs
RIDGE = 0.1  # of the least squares, on keys of length 1
PREFIX = "slots."


@dataclass(frozen=True)
class Slots:
    """Pairs of one layer. B rows, K KV heads, S pairs. A value, like a `State`: folding makes a new one.

    `keys` (B, K, S, R) without rotation, `values` (B, K, S, V); and, (B, K, S), float32: `received`, the attention so
    far, `foreseen` by the write gate, and `weights`, how much of a pair goes into the sum when it leaves.
    `present` (B, S): False for the first places of a row that has read less than another.
    """

    keys: Tensor
    values: Tensor
    received: Tensor
    foreseen: Tensor
    weights: Tensor
    present: Tensor

    def tensors(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def rows(self, index: Tensor) -> "Slots":
        """The chosen streams of the batch."""
        return Slots(*(tensor[index] for tensor in self.tensors().values()))

    @classmethod
    def side_by_side(cls, parts: Sequence["Slots"]) -> "Slots":
        """The pairs of all parts, one part behind the other: as many as all have together."""
        if len(parts) == 1:
            return parts[0]
        columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(cls)}
        return cls(**{name: torch.cat(column, 1 if name == "present" else 2) for name, column in columns.items()})

    def at(self, index: Tensor, present: Tensor) -> "Slots":
        """The pairs at index (B, K, C), of which those are `present` (B, C)."""
        rows, heads = (torch.arange(size, device=index.device) for size in index.shape[:2])

        def chosen(x: Tensor) -> Tensor:
            return x[rows[:, None, None], heads[:, None], index]

        pairs = {name: chosen(tensor) for name, tensor in self.tensors().items() if name != "present"}
        return Slots(**pairs, present=present)


def pack_slots(layers: Sequence[Slots]) -> dict[str, Tensor]:
    """Tensors by name, "slots.3.keys", as files have them."""
    return {
        f"{PREFIX}{layer}.{name}": tensor.contiguous()
        for layer, slots in enumerate(layers)
        for name, tensor in slots.tensors().items()
    }


def unpack_slots(tensors: Mapping[str, Tensor]) -> tuple[list[Slots], dict[str, Tensor]]:
    """The opposite of `pack_slots`; and the tensors with other names."""
    layers: dict[int, dict[str, Tensor]] = {}
    rest: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        if key.startswith(PREFIX):
            layer, name = key.removeprefix(PREFIX).split(".")
            layers.setdefault(int(layer), {})[name] = tensor
        else:
            rest[key] = tensor
    return [Slots(**layers[layer]) for layer in sorted(layers)], rest


class LayerSlots:
    """One layer's slots, and what of the window is needed to choose from it. With a size of 0 nothing is ever held.

    Raises ValueError for fewer than none, or a way to choose that isn't there.
    """

    def __init__(self, size: int, keep: Sequence[str], turn: Turn):
        if size < 0 or not keep or not set(keep) <= set(WAYS):
            raise ValueError(f"no {size} slots by {', '.join(keep)}: choose 0 or more, by {', '.join(WAYS)}")
        self.size, self.keep, self.turn = size, tuple(keep), turn
        self.looks = size > 0 and bool({"attention", "sampled", "late"} & set(keep))  # whether attention is looked at
        self.held: Slots | None = None
        self._placed: Tensor | None = None
        self._all_present = True
        self._queries: list[Tensor] = []
        self._scale: float | None = None
        self._sliding: int | None = None

    def __len__(self) -> int:
        return 0 if self.held is None else self.held.present.shape[-1]

    def copy(self) -> Self:
        twin = type(self)(self.size, self.keep, self.turn)
        twin.__dict__.update(self.__dict__)
        twin._queries = list(self._queries)
        return twin

    def set(self, held: Slots | None) -> None:
        self.held, self._placed = held, None
        self._all_present = held is None or bool(held.present.all())

    def clear(self) -> None:
        """Forgets what was recorded of the window."""
        self._queries = []

    def select(self, rows: Tensor) -> None:
        self._queries = [queries[rows] for queries in self._queries]
        if self.held is not None:
            self.set(self.held.rows(rows))

    def record(self, queries: Tensor, scale: float | None, sliding: int | None) -> None:
        """Keeps rotated queries (B, H, N, R), and how they attend, for the next fold."""
        if self.looks:
            self._queries.append(queries.detach())
        self._scale, self._sliding = scale, sliding

    def before(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """The window's rotated keys and values (B, K, N, …) behind those of the slots."""
        if self.held is None:
            return keys, values
        if self._placed is None:
            positions = torch.arange(-len(self), 0, device=keys.device)
            self._placed = rotate(self.held.keys, self.turn(positions, keys.dtype))
        return torch.cat([self._placed, keys], -2), torch.cat([self.held.values, values], -2)

    def seen(self, window: int) -> Tensor | None:
        """Which of slots and window are there, (B, S + window); None if all are."""
        if self.held is None or self._all_present:
            return None
        return F.pad(self.held.present, (0, window), value=True)

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        scale: float | None,
        sliding: int | None,
    ) -> Tensor:
        """softmax(scale·QKᵀ)V over slots and window. query (B, H, N, R), key and value (B, K, window, …) to
        (B, N, H, V).

        mask (B, 1, N, window): what of the window a query sees; None: all that is not later.
        """
        assert self.held is not None
        held, new, window = len(self), query.shape[2], key.shape[2]
        key, value = self.before(key, value)
        if mask is None and sliding is None and self._all_present and query.device.type == "cpu":
            return causal_attention(query, key, value, scale, BLOCK)
        places = torch.arange(held + window, device=query.device)
        asking = places[held + window - new :]
        if mask is None:
            mask = sees(asking, places[held:], sliding)
        else:  # padding before a row's first token stands between it and the slots
            asking = asking - (mask.cumsum(-1) == 0).sum(-1)
        seen = sees(asking, places[:held], sliding) & self.held.present[:, None, None]
        seen = torch.cat([seen, mask.expand(*seen.shape[:-1], -1)], -1)
        mixed = F.scaled_dot_product_attention(
            query, key, value, seen, scale=scale, enable_gqa=query.shape[1] != key.shape[1]
        )
        return mixed.transpose(1, 2).contiguous()

    def fold(self, keys: Tensor, window: Slots, wanted: bool = True) -> Slots | None:
        """Window and slots are cut back to `size` pairs; keys (B, K, N, R): the window's, with rotation.

        Returns the pairs that leave, if they are wanted: without slots, all of the window.
        """
        if not self.size:
            return window
        placed, _ = self.before(keys, window.values)
        counting = window.present
        pairs = window if self.held is None else Slots.side_by_side([self.held, window])
        if {"attention", "sampled"} & set(self.keep):
            asking = counting if "attention" in self.keep else sampled(counting)
            received = pairs.received * DECAY + self.attention(placed, pairs.present, asking)
            pairs = replace(pairs, received=received)
        scores = dict.fromkeys(("attention", "sampled"), lambda: pairs.received) | {"learnt": lambda: pairs.foreseen}
        scores["late"] = lambda: self.attention(placed, pairs.present, counting & (from_the_end(counting) <= LATE))
        scores["residual"] = lambda: residual(pairs)
        scores["recent"] = lambda: pairs.present.cumsum(-1).float()[:, None].expand_as(pairs.received)
        order = choose([scores[name]() for name in self.keep], pairs.present, self.size)
        count = pairs.present.sum(-1, keepdim=True)
        there = torch.arange(order.shape[-1], device=order.device) >= order.shape[-1] - count
        leaving = order.shape[-1] - min(self.size, int(count.max()))
        if leaving < order.shape[-1]:
            self.set(pairs.at(order[..., leaving:], there[:, leaving:]))
        return pairs.at(order[..., :leaving], there[:, :leaving]) if wanted else None

    def attention(self, keys: Tensor, present: Tensor, counting: Tensor) -> Tensor:
        """What pairs with these rotated keys receive from the recorded queries (see `received`)."""
        queries = self._queries[0] if len(self._queries) == 1 else torch.cat(self._queries, 2)
        return received(queries, keys, present, counting, self._scale, self._sliding)


NO_SLOTS = LayerSlots(0, WAYS[:1], lambda positions, dtype: None)


def rule(size: int, keep: Sequence[str]) -> str:
    """What slots are chosen by, to be written down beside what is kept of them: pairs of another rule are stale."""
    return f"{size} by {' and '.join(keep)}, {VERSION}"


def turn_of(decoder: Any, layer: int) -> Turn:
    """How a decoder's layer rotates positions."""
    if hasattr(decoder, "rotation"):
        turn: Turn = decoder.rotation
        return turn
    from infinidoc.model import hugging_face

    return hugging_face.turn_of(decoder, layer)


def sees(queries: Tensor, keys: Tensor, sliding: int | None) -> Tensor:
    """Which of the positions `keys` (…, C) one of `queries` (…, N) sees: (…, N, C)."""
    distance = queries[..., None] - keys[..., None, :]
    return (distance >= 0) if sliding is None else (distance >= 0) & (distance < sliding)


@torch.no_grad()
def received(
    query: Tensor, key: Tensor, present: Tensor, counting: Tensor, scale: float | None, sliding: int | None
) -> Tensor:
    """Attention that each pair receives (B, K, C), float32, from queries (B, H, N, R), which stand at the end of the
    keys (B, K, C, R). present (B, C): what is seen at all; counting (B, N): how much each query's attention counts."""
    rows, heads, tokens, dim = query.shape
    kv_heads, pairs = key.shape[1:3]
    group = heads // kv_heads
    total = torch.zeros(rows, kv_heads, pairs, device=key.device)
    places = present.cumsum(-1)  # without padding
    asked = counting.any(0).nonzero()[:, 0]
    for some in asked.split(BLOCK) if len(asked) else ():
        at = some + pairs - tokens
        last = int(at[-1]) + 1
        # Query heads of a group share their keys.
        block = query[:, :, some].reshape(rows, kv_heads, -1, dim) * (dim**-0.5 if scale is None else scale)
        scores = (block @ key[:, :, :last].mT).float().view(rows, kv_heads, group, len(some), last)
        seen = sees(places[:, at], places[:, :last], sliding) & present[:, None, :last]
        scores.masked_fill_(~seen[:, None, None], torch.finfo(torch.float32).min)
        weights = scores.softmax(-1).view(rows, kv_heads, -1, last)
        total[..., :last] += (counting[:, some].float().repeat(1, group)[:, None, None] @ weights)[:, :, 0]
    return total


def sampled(present: Tensor) -> Tensor:
    """How much the attention of each token counts (B, N), float32: as many as were SAMPLED count for all that are
    present (B, N)."""
    order, count = present.cumsum(-1), present.sum(-1, keepdim=True).clamp(min=1)
    step = order * SAMPLED // count - (order - 1) * SAMPLED // count
    return (present & (step > 0)) * (count / count.clamp(max=SAMPLED))


@torch.no_grad()
def residual(pairs: Slots) -> Tensor:
    """How far from its value is what least squares over all pairs gives for each one's key: (B, K, S)."""
    keys, values = pairs.keys.float(), pairs.values.float()
    keys = keys * (pairs.present[:, None] / keys.norm(dim=-1).clamp(min=1e-12))[..., None]  # of length 1
    factor = torch.linalg.cholesky(keys.mT @ keys + RIDGE * torch.eye(keys.shape[-1], device=keys.device))
    return (keys @ torch.cholesky_solve(keys.mT @ values, factor) - values).norm(dim=-1)


@torch.no_grad()
def choose(scores: Sequence[Tensor], present: Tensor, size: int) -> Tensor:
    """The candidates' indices (B, K, C) in a new order: those that aren't there, those that leave, and the up to `size`
    that stay, each as they stood.

    scores (B, K, C), each of which fills its share with its highest, of equals the first; present (B, C).
    """
    order, count = present.cumsum(-1), present.sum(-1, keepdim=True)
    sinks = min(SINKS, size)
    recent = min(size // 2, size - sinks)
    stay = (present & ((order <= sinks) | (order > count - recent)))[:, None]
    candidates, taken = present[:, None], stay.expand_as(scores[0])
    for share, score in enumerate(scores, 1):
        budget = sinks + recent + (size - sinks - recent) * share // len(scores)
        ranked = score.masked_fill(~candidates, float("-inf")).masked_fill(taken, float("inf"))
        best = ranked.sort(dim=-1, descending=True, stable=True).indices[..., :budget]
        taken = torch.zeros_like(taken).scatter(-1, best, True) & candidates
    return torch.argsort(candidates.long() + taken, dim=-1, stable=True)


def from_the_end(mask: Tensor) -> Tensor:
    """Of each token in mask (B, N), the how manieth of its row it is, counted from the last one: 1."""
    return mask.flip(-1).cumsum(-1).flip(-1)
