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
class Encoding:
    """Streams documents through the model, many segments side by side.

    Every segment is encoded with an empty memory, so that what it adds to the memory depends on nothing but itself:
    states add up in any order, and a segment can be taken out again. Iterate to run it: yields (document, segment,
    addresses) in order, the addresses (tokens, 128) int8, or None without a head. Then `state` is the sum over all
    segments, one `State` per layer that remembers.
    Needs an additive kernel, and infini-attention attached to the model.
    """

    base: BaseModel
    head: AddressHead | None
    documents: Sequence[Sequence[Sequence[int]]]
    state: list[State] | None = field(default=None, init=False)

    def __iter__(self) -> Iterator[tuple[int, int, Tensor | None]]:
        for window in self._windows():
            addresses: dict[tuple[int, int], Tensor | None] = {}
            for batch in self._batches(window):
                found = self._encode([self.documents[document][segment] for document, segment in batch])
                addresses.update(zip(batch, found, strict=True))
            for document, segment in window:
                yield document, segment, addresses[document, segment]

    @property
    def _limit(self) -> int:
        return BATCH_TOKENS.get(self.base.device.type, BATCH_TOKENS["cpu"])

    def _windows(self) -> Iterator[list[tuple[int, int]]]:
        """Consecutive segments, two batches' worth: enough to sort, soon enough done for progress to be seen."""
        window: list[tuple[int, int]] = []
        tokens = 0
        for document, segments in enumerate(self.documents):
            for segment, ids in enumerate(segments):
                window.append((document, segment))
                tokens += len(ids)
                if tokens >= 2 * self._limit:
                    yield window
                    window, tokens = [], 0
        if window:
            yield window

    def _batches(self, window: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
        """Groups segments of like length, as many as fit; padding is wasted work."""
        batch: list[tuple[int, int]] = []
        longest = 0
        for item in sorted(window, key=lambda item: -len(self.documents[item[0]][item[1]])):
            if batch and longest * (len(batch) + 1) > self._limit:
                yield batch
                batch = []
            longest = longest if batch else len(self.documents[item[0]][item[1]])
            batch.append(item)
        yield batch

    @torch.no_grad()
    def _encode(self, segments: list[Sequence[int]]) -> list[Tensor | None]:
        """Runs a batch, adds what it leaves to the state, and returns its addresses."""
        start, device = self.base.start, self.base.device
        ids, mask = side_by_side(segments, start)
        memory = CompressiveMemory(self.base.model)
        captured: list[Tensor] = []
        decoder = self.base.model.get_decoder()
        taps = []
        if self.head is not None:
            tap = decoder.layers[self.head.layer].register_forward_pre_hook(
                lambda _, args, kwargs: captured.append(args[0] if args else kwargs["hidden_states"]), with_kwargs=True
            )
            taps.append(tap)
        try:
            # Padding comes last, so causal attention hides it from every token that counts: no mask is needed.
            decoder(input_ids=ids.to(device), past_key_values=memory, use_cache=True)
        finally:
            for tap in taps:
                tap.remove()
        memory.fold(mask.to(device))
        if memory.state is not None:
            self.state = add(self.state, [layer.total() for layer in memory.state])
        if self.head is None:
            return [None for _ in segments]
        states = entering(self.base.model, self.head.layer, captured[0])
        addresses = self.head.addresses(states[:, len(start) :])
        return [addresses[row, : len(segment)].clone() for row, segment in enumerate(segments)]


def side_by_side(segments: Sequence[Sequence[int]], start: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Segments as a batch: ids (B, N), each behind the start tokens, and a mask (B, N) of the tokens to write.

    Padding isn't written, and neither are the start tokens: they hold no content.
    """
    ids = torch.zeros(len(segments), len(start) + max(map(len, segments)), dtype=torch.long)
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
