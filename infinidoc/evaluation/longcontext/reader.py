"""A model as the long-context benchmarks use it: it folds segments into a memory, and answers from a memory alone."""

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import torch

from infinidoc.documents.segmentation import SEGMENT_TOKENS
from infinidoc.errors import InfinidocError
from infinidoc.evaluation.ledger import Checkpoint
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.decoding import generate
from infinidoc.model.encoding import add, batch_tokens, encode
from infinidoc.model.kernels import KERNELS, State

CHECKPOINT_SECONDS = 30.0
BATCHES = 8  # that are read side by side, and between checkpoints
BATCH = 8  # questions that are best answered at once: each brings a memory of 6 to 60 megabytes

Advance = Callable[[int], None]


class Reader:
    """Reads and answers with a model that infini-attention is attached to.

    Raises InfinidocError for a model whose kernel isn't additive: the benchmarks share what they have read.
    """

    def __init__(self, base: BaseModel):
        self.base = base
        kernel = base.model.config.infini_kernel
        if not KERNELS[kernel].additive:
            raise InfinidocError(f"memories of the kernel {kernel} don't add up", "benchmark an adapter of another one")

    @property
    def segment_tokens(self) -> int:
        """How many tokens of text a segment holds."""
        return SEGMENT_TOKENS - len(self.base.start)

    @property
    def chunk(self) -> int:
        """How many segments are folded before a checkpoint may be written."""
        return max(1, BATCHES * batch_tokens(self.base.device) // SEGMENT_TOKENS)

    def fold(self, segments: Iterable[Sequence[int]], advance: Advance = lambda tokens: None) -> list[State]:
        """What segments leave in the memory, each read by itself: a sum. `advance` hears of the tokens that were read.

        segments: token ids, at least one segment. Every layer's state has one row.
        """
        state = encode(self.base, None, list(segments), advance=advance).state
        assert state is not None
        return state

    def answer(self, prompts: Sequence[str], states: Sequence[list[State]], max_tokens: int) -> list[str]:
        """Continues each prompt greedily, from the memory that belongs to it and an otherwise empty window."""
        ids = [[*self.base.start, *self.base.encode(prompt)] for prompt in prompts]
        answers = [""] * len(ids)
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        for _, group in itertools.groupby(order, key=lambda index: len(ids[index])):  # equal lengths: no padding
            batch = list(group)
            texts = self._continue([ids[i] for i in batch], [states[i] for i in batch], max_tokens)
            for index, text in zip(batch, texts, strict=True):
                answers[index] = text
        return answers

    def _continue(self, ids: list[list[int]], states: list[list[State]], max_tokens: int) -> list[str]:
        side_by_side = [State.cat(layers) for layers in zip(*states, strict=True)]
        memory = CompressiveMemory(self.base.model, side_by_side).read_only()
        return [self.base.decode(row) for row in generate(self.base, torch.tensor(ids), memory, max_tokens)]

    @cached_property
    def text(self) -> Callable[[int], str]:
        """A token's text, with the space that it may begin with."""
        known: dict[int, str] = {}

        def text(token: int) -> str:
            if token not in known:
                piece = str(self.base.vocabulary.id_to_token(token))
                known[token] = piece.replace("Ġ", " ").replace("▁", " ").replace("Ċ", "\n")
            return known[token]

        return text


def stream(
    reader: Reader,
    segments: Callable[[int], Sequence[int]],
    start: int,
    stop: int,
    state: list[State] | None,
    checkpoint: Checkpoint,
    advance: Advance,
) -> list[State]:
    """Reads segments start to stop (not included), one after the other, on top of what earlier ones left in `state`.

    `segments` gives a segment's token ids by its number. The state is saved every half minute, and at the end. Every
    token really goes through the model: nothing is folded once and counted several times, though repeated text and
    additive kernels would allow it.
    """
    saved = time.monotonic()
    for first in range(start, stop, reader.chunk):
        last = min(first + reader.chunk, stop)
        state = add(state, reader.fold((segments(index) for index in range(first, last)), advance))
        if last == stop or time.monotonic() - saved > CHECKPOINT_SECONDS:
            checkpoint.save(last, state)
            saved = time.monotonic()
    assert state is not None
    return state
