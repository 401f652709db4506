"""Segments through the model: token ids in, addresses and compressive memory out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple, Self, TypeVar

import torch
from torch import Tensor

from infinidoc.model.addresses import AddressHead
from infinidoc.model.attention import CompressiveMemory, attention_modules
from infinidoc.model.base import BaseModel
from infinidoc.model.kernels import State
from infinidoc.model.passes import single_pass
from infinidoc.model.threads import one_core_each

# Tokens that go through the model side by side. On a CPU every core has a batch of its own: what it works on should
# fit its cache, and a larger batch is up to a tenth slower.
BATCH_TOKENS = {"cpu": 1_024, "mps": 8_192, "cuda": 32_768}
# Tokens of consecutive segments that are sorted by length and batched, whatever the cores, so that results don't depend
# on them. An ingest that is cut short loses as much.
WINDOW_TOKENS = {"cpu": 4_096, "mps": 32_768, "cuda": 65_536}


MOST_PADDING = 48  # tokens behind a segment


class Seat(NamedTuple):
    """Where a segment lay in a batch of `rows` segments, `width` tokens each with their padding.

    Matrix products round differently in another shape, and not at all in the same one, whatever is in the other rows:
    a segment gives the same numbers to the last bit if it is encoded in the same seat.
    """

    rows: int
    width: int
    row: int


@dataclass(frozen=True)
class Begun:
    """What the first pass leaves of segments for the second: the hidden states (start + tokens, D) that come into the
    address head's layer, of each; and what the layers below it add to the memory (see `State`)."""

    hidden: list[Tensor]
    state: list[State]


@dataclass(frozen=True)
class Addressed:
    """What the first pass gives: `addresses` of each segment (tokens, 128) int8, its seat, and what the second pass can
    begin with, if that was to be kept."""

    addresses: list[Tensor]
    seats: list[Seat]
    begun: Begun | None


Found = TypeVar("Found", covariant=True)
Advance = Callable[[int], None]  # hears of tokens as they have been read
Running = Callable[[Advance], Found]  # waits for what was sent on its way
Batch = dict[int, int]  # which segment is in which row


class Encoder:
    """Puts segments through the model, many side by side, one batch per core at a time, in two passes.

    The first one runs the layers below the head, and gives addresses. The second one runs the others, or all of them,
    and gives what the segments add to the memory. Every segment is encoded with an empty memory, so that what it adds
    depends on nothing but itself and its seat: states add up in any order, and a segment can be taken out again.
    Needs an additive kernel, and infini-attention attached to the model.
    """

    def __init__(self, base: BaseModel, head: AddressHead | None = None):
        self.base, self.head = base, head
        workers = torch.get_num_threads() if base.device.type == "cpu" else 1
        self.window_tokens = window_tokens(base.device)
        # How many windows should be on their way before one is waited for, so that no core has nothing to do.
        self.ahead = max(1, -(-2 * workers * batch_tokens(base.device) // self.window_tokens))
        self._pool = one_core_each(workers)

    def first_pass(self, segments: Sequence[Sequence[int]], keep: bool = False) -> Running[Addressed]:
        """Sends segments, as token ids, on their way; to `keep` what the second pass can begin with takes memory.

        Returns at once; call what it returns to wait.
        """
        seats = take_seats([len(segment) for segment in segments], batch_tokens(self.base.device))
        batches = self._send(self._address, segments, seats, keep)

        def wait(advance: Advance) -> Addressed:
            found: dict[int, tuple[Tensor, Tensor | None]] = {}
            state: list[State] | None = None
            for batch, future in batches:
                rows, more = future.result()
                found |= {index: rows[row] for row, index in batch.items()}
                state = add(state, more) if more is not None else state
                advance(sum(len(segments[index]) for index in batch.values()))
            addresses, hidden = zip(*(found[index] for index in range(len(segments))), strict=True)
            return Addressed(list(addresses), seats, Begun(list(hidden), state or []) if keep else None)

        return wait

    def second_pass(
        self, segments: Sequence[Sequence[int]] | Begun, seats: Sequence[Seat] | None = None
    ) -> Running[list[State]]:
        """Sends segments on their way, as token ids or as the first pass left them, in the seats that they had before.

        Returns at once; call what it returns to wait for the sum of what they add to the memory: one `State` per layer
        that remembers.
        """
        begun = isinstance(segments, Begun)
        parts: Sequence[Sequence[int] | Tensor] = segments.hidden if isinstance(segments, Begun) else segments
        lengths = [len(part) - (len(self.base.start) if begun else 0) for part in parts]
        seats = take_seats(lengths, batch_tokens(self.base.device)) if seats is None else seats
        batches = self._send(self._remember, parts, seats)

        def wait(advance: Advance) -> list[State]:
            total: list[State] | None = None
            for batch, future in batches:
                total = add(total, future.result())
                advance(sum(lengths[index] for index in batch.values()))
            below = segments.state if isinstance(segments, Begun) else []
            return [*below, *(total or [])]

        return wait

    def _send(
        self, work: Callable[..., Found], segments: Sequence[Any], seats: Sequence[Seat], *options: bool
    ) -> list[tuple[Batch, Future[Found]]]:
        return [
            (batch, self._pool.submit(work, {row: segments[index] for row, index in batch.items()}, seat, *options))
            for seat, batch in batches_of(seats)
        ]

    @torch.no_grad()
    def _address(
        self, segments: Mapping[int, Sequence[int]], seat: Seat, keep: bool
    ) -> tuple[dict[int, tuple[Tensor, Tensor | None]], list[State] | None]:
        """A batch, given by its rows: of each row its addresses, and what came into the head's layer; and what the
        layers below that add to the state."""
        assert self.head is not None
        start, tap = self.base.start, self.head.layer
        ids, mask = self._side_by_side(segments, seat)
        # Padding comes last, so causal attention hides it from every token that counts: no mask is needed.
        memory = single_pass(self.base.model, ids, tap, range(tap if keep else 0))
        layer = memory.layers[tap]
        assert layer.entering is not None
        assert layer.incoming is not None
        addresses = self.head.addresses(layer.entering[:, len(start) :])
        rows: dict[int, tuple[Tensor, Tensor | None]] = {}
        for row, segment in segments.items():
            hidden = layer.incoming[row, : len(start) + len(segment)].cpu().clone() if keep else None
            rows[row] = addresses[row, : len(segment)].clone(), hidden
        if not keep:
            return rows, None
        memory.fold(mask)
        return rows, _totals(memory)

    @torch.no_grad()
    def _remember(self, segments: Mapping[int, Sequence[int] | Tensor], seat: Seat) -> list[State]:
        """What a batch, given by its rows, adds to the state."""
        first, start = next(iter(segments.values())), len(self.base.start)
        if isinstance(first, Tensor):
            assert self.head is not None
            begun = first.new_zeros(seat.rows, start + seat.width, first.shape[-1])
            mask = torch.zeros(begun.shape[:2])
            for row, hidden in segments.items():
                begun[row, : len(hidden)] = torch.as_tensor(hidden)
                mask[row, start : len(hidden)] = 1
            device, tap = self.base.device, self.head.layer
            layers = range(tap, len(attention_modules(self.base.model)))
            memory = single_pass(self.base.model, mask.long().to(device), tap, layers, begun.to(device))
        else:
            ids, mask = self._side_by_side(segments, seat)
            memory = single_pass(self.base.model, ids, None)
        memory.fold(mask.to(self.base.device))
        return _totals(memory)

    def _side_by_side(self, segments: Mapping[int, Any], seat: Seat) -> tuple[Tensor, Tensor]:
        """A batch's rows as ids and mask, where the model is."""
        ids, mask = side_by_side([segments.get(row, ()) for row in range(seat.rows)], self.base.start, seat.width)
        return ids.to(self.base.device), mask.to(self.base.device)

    def close(self) -> None:
        """Waits for the batches that have begun, and drops the others."""
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _totals(memory: CompressiveMemory) -> list[State]:
    return [state.total() for state in memory.state or []]


@dataclass(frozen=True)
class Encoded:
    """What both passes give: `addresses` of each segment (tokens, 128) int8, None without a head; the seat of each; and
    `state`, the sum of what they add to the memory, None if nothing should."""

    addresses: list[Tensor | None]
    seats: list[Seat]
    state: list[State] | None


def encode(
    base: BaseModel,
    head: AddressHead | None,
    segments: Sequence[Sequence[int]],
    remember: bool = True,
    advance: Advance = lambda tokens: None,
) -> Encoded:
    """Segments through the model, all as one window; `advance` hears of those that were remembered, if any are."""
    seats = take_seats([len(segment) for segment in segments], batch_tokens(base.device))
    addresses: list[Tensor | None] = [None] * len(segments)
    begun: Sequence[Sequence[int]] | Begun = segments
    with Encoder(base, head) as encoder:
        if head is not None:
            found = encoder.first_pass(segments, keep=remember)(lambda tokens: None)
            addresses, begun = list(found.addresses), found.begun or segments
        return Encoded(addresses, seats, encoder.second_pass(begun, seats)(advance) if remember else None)


def batch_tokens(device: torch.device) -> int:
    return BATCH_TOKENS.get(device.type, BATCH_TOKENS["cpu"])


def window_tokens(device: torch.device) -> int:
    return WINDOW_TOKENS.get(device.type, WINDOW_TOKENS["cpu"])


def take_seats(lengths: Sequence[int], limit: int) -> list[Seat]:
    """Seats for segments: those of like length share a batch, as many as fit into `limit` tokens.

    Padding a segment by more than MOST_PADDING tokens costs more than another batch.
    """
    seats: dict[int, Seat] = {}
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    while len(seats) < len(lengths):
        width = lengths[order[len(seats)]]
        batch = [
            index for index in order[len(seats) :][: max(1, limit // width)] if width - lengths[index] <= MOST_PADDING
        ]
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
