"""Documents through the model: segments in, addresses and compressive memory out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from infinidoc.model.addresses import AddressHead, entering
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.kernels import State

# Tokens that go through the model side by side. One full segment keeps two cores busy; more would only cost memory.
BATCH_TOKENS = {"cpu": 2_048, "mps": 8_192, "cuda": 32_768}


@dataclass
class Lane:
    """One document on its way through the model: its segments (token ids), and what those read so far left."""

    segments: Sequence[Sequence[int]]
    state: list[State] | None = None
    done: int = 0


@dataclass
class Encoding:
    """Streams documents through the model side by side, segment by segment.

    Each segment reads what earlier segments of its own document left in the memory, then is folded into it (write after
    read). Documents don't see each other, so their states add up, whatever the order.

    Iterate to run it: yields (document, segment, addresses), the addresses (tokens, 128) int8 of each segment in
    order within its document. Then `state` is the sum over the documents, one `State` per layer.
    Needs an additive kernel, and infini-attention attached to the model.
    """

    base: BaseModel
    head: AddressHead
    documents: Sequence[Sequence[Sequence[int]]]
    state: list[State] | None = field(default=None, init=False)

    def __iter__(self) -> Iterator[tuple[int, int, Tensor]]:
        lanes = [Lane(segments) for segments in self.documents]
        waiting = [(index, lane) for index, lane in enumerate(lanes) if lane.segments]
        while waiting:
            for batch in self._batches(waiting):
                addresses = self._advance([lane for _, lane in batch])
                for (index, lane), found in zip(batch, addresses, strict=True):
                    yield index, lane.done, found
                    lane.done += 1
                    if lane.done == len(lane.segments):
                        assert lane.state is not None
                        self.state = add(self.state, lane.state)
                        lane.state = None
            waiting = [(index, lane) for index, lane in waiting if lane.done < len(lane.segments)]

    def _batches(self, lanes: list[tuple[int, Lane]]) -> Iterator[list[tuple[int, Lane]]]:
        """Groups next segments of like length, as many as fit; padding is wasted work."""
        limit = BATCH_TOKENS.get(self.base.device.type, BATCH_TOKENS["cpu"])
        batch: list[tuple[int, Lane]] = []
        for item in sorted(lanes, key=lambda item: -len(item[1].segments[item[1].done])):
            longest = len(batch[0][1].segments[batch[0][1].done]) if batch else 0
            if batch and longest * (len(batch) + 1) > limit:
                yield batch
                batch = []
            batch.append(item)
        yield batch

    @torch.no_grad()
    def _advance(self, lanes: list[Lane]) -> list[Tensor]:
        """Runs the next segment of each lane, folds it, and returns its addresses."""
        start, device = list(self.base.start), self.base.device
        segments = [lane.segments[lane.done] for lane in lanes]
        width = max(map(len, segments))
        ids = torch.zeros(len(lanes), len(start) + width, dtype=torch.long)
        mask = torch.zeros(ids.shape)
        for row, segment in enumerate(segments):
            ids[row, : len(start) + len(segment)] = torch.tensor([*start, *segment])
            mask[row, len(start) : len(start) + len(segment)] = 1  # the start token holds no content: not written
        memory = CompressiveMemory(self.base.model, _stack([lane.state for lane in lanes]))
        captured: list[Tensor] = []
        decoder = self.base.model.get_decoder()
        tap = decoder.layers[self.head.layer].register_forward_pre_hook(
            lambda _, args, kwargs: captured.append(args[0] if args else kwargs["hidden_states"]), with_kwargs=True
        )
        try:
            # Padding comes last, so causal attention hides it from every token that counts: no mask is needed.
            decoder(input_ids=ids.to(device), past_key_values=memory, use_cache=True)
        finally:
            tap.remove()
        memory.fold(mask.to(device))
        state = memory.state
        assert state is not None
        for row, lane in enumerate(lanes):
            lane.state = [layer.rows(slice(row, row + 1)) for layer in state]
        states = entering(self.base.model, self.head.layer, captured[0])
        addresses = self.head.addresses(states[:, len(start) :])
        return [addresses[row, : len(segment)].clone() for row, segment in enumerate(segments)]


def add(total: list[State] | None, more: list[State]) -> list[State]:
    """The sum of two memories, layer by layer; None is the empty one."""
    return more if total is None else [a + b for a, b in zip(total, more, strict=True)]


def subtract(total: list[State], less: list[State]) -> list[State]:
    """Takes a memory out of a sum, layer by layer."""
    return [a - b for a, b in zip(total, less, strict=True)]


def _stack(states: list[list[State] | None]) -> list[State] | None:
    """The lanes of a batch move in step: either all have read something, or none has."""
    if any(state is None for state in states):
        assert all(state is None for state in states)
        return None
    return [State.cat(layers) for layers in zip(*[s for s in states if s is not None], strict=True)]
