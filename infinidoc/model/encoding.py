"""Segments through the model: token ids in, addresses and compressive memory out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from infinidoc.model.addresses import AddressHead
from infinidoc.model.attention import single_pass
from infinidoc.model.base import BaseModel
from infinidoc.model.kernels import State
from infinidoc.model.threads import one_core_each

# Tokens that go through the model side by side. On a CPU every core has a batch of its own: what it works on should
# fit its cache, and a larger batch is up to a tenth slower.
BATCH_TOKENS = {"cpu": 1_024, "mps": 8_192, "cuda": 32_768}
# Tokens of consecutive segments that are sorted by length and batched, whatever the cores, so that results don't depend
# on them. An ingest that is cut short loses as much.
WINDOW_TOKENS = {"cpu": 4_096, "mps": 32_768, "cuda": 65_536}


class Seat(NamedTuple):
    """Where a segment lay in a batch of `rows` segments, `width` tokens each with their padding.

    Matrix products round differently in another shape, and not at all in the same one, whatever is in the other rows:
    a segment gives the same numbers to the last bit if it is encoded in the same seat.
    """

    rows: int
    width: int
    row: int


@dataclass(frozen=True)
class Encoded:
    """What segments give: `addresses` of each (tokens, 128) int8, None without a head; the seat of each; and `state`,
    the sum of what they add to the memory: one `State` per layer that remembers, None if nothing should."""

    addresses: list[Tensor | None]
    seats: list[Seat]
    state: list[State] | None


Advance = Callable[[int], None]  # hears of tokens as they have been read
Running = Callable[[Advance], Encoded]  # waits for what was submitted
Batch = tuple[dict[int, Tensor], list[State] | None]  # addresses by row, and what the batch adds to the state


class Encoder:
    """Puts segments through the model, many side by side, one batch per core at a time.

    Every segment is encoded with an empty memory, so that what it adds to the memory depends on nothing but itself and
    its seat: states add up in any order, and a segment can be taken out again. Without `remember` only the layers below
    the head run. Needs an additive kernel, and infini-attention attached to the model.
    """

    def __init__(self, base: BaseModel, head: AddressHead | None, remember: bool = True):
        self.base, self.head, self.remember = base, head, remember
        workers = torch.get_num_threads() if base.device.type == "cpu" else 1
        self.window_tokens = window_tokens(base.device)
        # How many windows should be submitted before one is waited for, so that no core has nothing to do.
        self.ahead = max(1, -(-2 * workers * batch_tokens(base.device) // self.window_tokens))
        self._pool = one_core_each(workers)

    def submit(self, segments: Sequence[Sequence[int]], seats: Sequence[Seat] | None = None) -> Running:
        """Sends segments, as token ids, on their way, in the seats that they had before if they had any.

        Returns at once; call what it returns to wait.
        """
        if seats is None:
            seats = take_seats([len(segment) for segment in segments], batch_tokens(self.base.device))
        batches = [
            (batch, self._pool.submit(self._encode, {row: segments[index] for row, index in batch.items()}, seat))
            for seat, batch in batches_of(seats)
        ]

        def wait(advance: Advance) -> Encoded:
            addresses: list[Tensor | None] = [None] * len(segments)
            total: list[State] | None = None
            for batch, future in batches:
                found, state = future.result()
                for row, index in batch.items():
                    addresses[index] = found.get(row)
                total = add(total, state) if state else total
                advance(sum(len(segments[index]) for index in batch.values()))
            return Encoded(addresses, list(seats), total)

        return wait

    @torch.no_grad()
    def _encode(
        self, segments: Mapping[int, Sequence[int]], seat: Seat
    ) -> tuple[dict[int, Tensor], list[State] | None]:
        """Runs a batch, given by its rows; returns their addresses, and what the batch adds to the state."""
        start, device = self.base.start, self.base.device
        ids, mask = side_by_side([segments.get(row, ()) for row in range(seat.rows)], start, seat.width)
        tap = self.head.layer if self.head is not None else None
        # Padding comes last, so causal attention hides it from every token that counts: no mask is needed.
        memory = single_pass(self.base.model, ids.to(device), tap, self.remember)
        entering = memory.layers[tap].entering if tap is not None else None
        memory.fold(mask.to(device))
        state = [layer.total() for layer in memory.state] if memory.state is not None else None
        if self.head is None or entering is None:
            return {}, state
        addresses = self.head.addresses(entering[:, len(start) :])
        return {row: addresses[row, : len(segment)].clone() for row, segment in segments.items()}, state

    def close(self) -> None:
        """Waits for the batches that have begun, and drops the others."""
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def encode(
    base: BaseModel,
    head: AddressHead | None,
    segments: Sequence[Sequence[int]],
    remember: bool = True,
    advance: Advance = lambda tokens: None,
) -> Encoded:
    """Segments through the model, all as one window."""
    with Encoder(base, head, remember) as encoder:
        return encoder.submit(segments)(advance)


def batch_tokens(device: torch.device) -> int:
    return BATCH_TOKENS.get(device.type, BATCH_TOKENS["cpu"])


def window_tokens(device: torch.device) -> int:
    return WINDOW_TOKENS.get(device.type, WINDOW_TOKENS["cpu"])


def take_seats(lengths: Sequence[int], limit: int) -> list[Seat]:
    """Seats for segments: those of like length share a batch, as many as fit into `limit` tokens, to pad little."""
    seats: dict[int, Seat] = {}
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    while len(seats) < len(lengths):
        width = lengths[order[len(seats)]]
        batch = order[len(seats) :][: max(1, limit // width)]
        seats |= {index: Seat(len(batch), width, row) for row, index in enumerate(batch)}
    return [seats[index] for index in range(len(lengths))]


def batches_of(seats: Sequence[Seat]) -> Iterator[tuple[Seat, dict[int, int]]]:
    """The batches that seats make up: one of their seats, and which segment is in which row."""
    groups: dict[tuple[int, int], list[dict[int, int]]] = {}
    for index, seat in enumerate(seats):
        batches = groups.setdefault((seat.rows, seat.width), [])
        free = next((batch for batch in batches if seat.row not in batch), None)
        if free is None:
            batches.append(free := {})
        free[seat.row] = index
    for (rows, width), batches in groups.items():
        for batch in batches:
            yield Seat(rows, width, 0), batch


def side_by_side(
    segments: Sequence[Sequence[int]], start: Sequence[int], width: int | None = None
) -> tuple[Tensor, Tensor]:
    """Segments as a batch: ids (B, N), each behind the start tokens, and a mask (B, N) of the tokens to write.

    Padding, up to `width` or the longest segment, isn't written; neither are the start tokens: they hold no content.
    """
    width = max(map(len, segments)) if width is None else width
    ids = torch.zeros(len(segments), len(start) + width, dtype=torch.long)
    mask = torch.zeros(ids.shape)
    for row, segment in enumerate(segments):
        ids[row, : len(start) + len(segment)] = torch.tensor([*start, *segment])
        mask[row, len(start) : len(start) + len(segment)] = 1
    return ids, mask


def add(total: list[State] | None, more: list[State]) -> list[State]:
    """The sum of two memories, layer by layer; None is the empty one."""
    return more if total is None else [a + b for a, b in zip(total, more, strict=True)]


def subtract(total: list[State], less: list[State]) -> list[State]:
    """Takes a memory out of a sum, layer by layer."""
    return [a - b for a, b in zip(total, less, strict=True)]
