"""Documents through the model: segments in, addresses and compressive memory out."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import torch
from torch import Tensor

from infinidoc.model.addresses import AddressHead
from infinidoc.model.attention import CompressiveMemory, Enough
from infinidoc.model.base import BaseModel
from infinidoc.model.kernels import State

# Tokens that go through the model side by side. On a CPU every core has a batch of its own: what it works on should
# fit its cache, and a larger batch is up to a tenth slower.
BATCH_TOKENS = {"cpu": 1_024, "mps": 8_192, "cuda": 32_768}
WINDOW = (
    8  # batches' worth of segments that are sorted by length. Whatever the cores, so that results don't depend on them
)

Place = tuple[int, int]  # a document's number, and a segment's in it
Encoded = tuple[list[Tensor | None], list[State] | None]  # addresses per segment, and what a batch adds to the memory


@dataclass
class Encoding:
    """Streams documents through the model, many segments side by side, one batch per core at a time.

    Every segment is encoded with an empty memory, so that what it adds to the memory depends on nothing but itself:
    states add up in any order, and a segment can be taken out again. Iterate to run it: yields (document, segment,
    addresses) in order, the addresses (tokens, 128) int8, or None without a head. Then `state` is the sum over all
    segments, one `State` per layer that remembers; None without `remember`, which runs only the layers below the head.
    Needs an additive kernel, and infini-attention attached to the model.
    """

    base: BaseModel
    head: AddressHead | None
    documents: Sequence[Sequence[Sequence[int]]]
    remember: bool = True
    state: list[State] | None = field(default=None, init=False)

    def __iter__(self) -> Iterator[tuple[int, int, Tensor | None]]:
        # Threads, not processes: PyTorch lets go of the interpreter's lock while it computes, and the weights are there
        # once. One thread per batch instead of all threads on one: no waiting for each other after every operation.
        workers = torch.get_num_threads() if self.base.device.type == "cpu" else 1
        pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
        ahead: deque[tuple[list[Place], list[tuple[list[Place], Future[Encoded]]]]] = deque()
        try:
            for window in self._windows():
                batches = list(self._batches(window))
                ahead.append((window, [(batch, pool.submit(self._encode, batch)) for batch in batches]))
                if len(ahead) > 1:  # one window waits, so that no core does
                    yield from self._collect(*ahead.popleft())
            while ahead:
                yield from self._collect(*ahead.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _collect(
        self, window: list[Place], running: list[tuple[list[Place], Future[Encoded]]]
    ) -> Iterator[tuple[int, int, Tensor | None]]:
        """Waits for a window's batches, adds up what they leave, and yields its segments in order."""
        addresses: dict[Place, Tensor | None] = {}
        waiting = deque(window)
        for batch, future in running:
            found, state = future.result()
            addresses.update(zip(batch, found, strict=True))
            if state is not None:
                self.state = add(self.state, state)
            while waiting and waiting[0] in addresses:
                place = waiting.popleft()
                yield *place, addresses.pop(place)

    @property
    def _limit(self) -> int:
        return BATCH_TOKENS.get(self.base.device.type, BATCH_TOKENS["cpu"])

    def _windows(self) -> Iterator[list[Place]]:
        """Consecutive segments, some batches' worth."""
        window: list[Place] = []
        tokens = 0
        for document, segments in enumerate(self.documents):
            for segment, ids in enumerate(segments):
                window.append((document, segment))
                tokens += len(ids)
                if tokens >= WINDOW * self._limit:
                    yield window
                    window, tokens = [], 0
        if window:
            yield window

    def _batches(self, window: list[Place]) -> Iterator[list[Place]]:
        """Groups segments of like length, as many as fit; padding is wasted work."""
        batch: list[Place] = []
        longest = 0
        for item in sorted(window, key=lambda item: -len(self.documents[item[0]][item[1]])):
            if batch and longest * (len(batch) + 1) > self._limit:
                yield batch
                batch = []
            longest = longest if batch else len(self.documents[item[0]][item[1]])
            batch.append(item)
        yield batch

    @torch.no_grad()
    def _encode(self, batch: list[Place]) -> Encoded:
        """Runs a batch; returns its addresses, and what it adds to the state."""
        segments = [self.documents[document][segment] for document, segment in batch]
        start, device = self.base.start, self.base.device
        ids, mask = side_by_side(segments, start)
        tap = self.head.layer if self.head is not None else None
        memory = CompressiveMemory(self.base.model).single_pass(tap, self.remember)
        with suppress(Enough):
            # Padding comes last, so causal attention hides it from every token that counts: no mask is needed.
            self.base.model.get_decoder()(input_ids=ids.to(device), past_key_values=memory, use_cache=True)
        entering = memory.infini_layers[tap].entering if tap is not None else None
        memory.fold(mask.to(device))
        state = [layer.total() for layer in memory.state] if memory.state is not None else None
        if self.head is None or entering is None:
            return [None for _ in segments], state
        addresses = self.head.addresses(entering[:, len(start) :])
        return [addresses[row, : len(segment)].clone() for row, segment in enumerate(segments)], state


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
