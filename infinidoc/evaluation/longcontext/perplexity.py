"""Perplexity on long documents, by how much of them was read before: what is a memory of it worth?

Documents are cut into segments. A scored segment is read in each of these ways, teacher-forced:
- "window": by itself, with an empty memory;
- "memory": by itself, with the compressive memory of all earlier segments of its document;
- "256 slots", if asked for: behind so many slots per layer and KV head (see `model/slots.py`), into which the document
  was streamed, and the sum where its gates are open, with what the adapter has for slots (no other row is);
- "full": with all the earlier text in the window, where the model's window holds that.
The same segments for each, so that rows of one length can be compared; rows of different lengths are of different text.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from infinidoc.errors import InfinidocError
from infinidoc.evaluation.ledger import Ledger
from infinidoc.evaluation.longcontext.hidden import BenchProgress, Row
from infinidoc.evaluation.longcontext.prose import Prose
from infinidoc.evaluation.longcontext.reader import Reader, stream
from infinidoc.evaluation.longcontext.streams import SlotStream
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.kernels import State
from infinidoc.model.slots import KEEP

WINDOW, MEMORY, FULL = "window", "memory", "full"


@dataclass(frozen=True)
class Scored:
    """A segment to score: the `index`-th of a document, for the row of a length."""

    document: int
    index: int
    length: int


def choose(tokens: Sequence[int], lengths: Sequence[int], segment: int, samples: int, seed: int) -> list[Scored]:
    """Up to `samples` whole segments per length, at random: those with about as many tokens of their document before.

    tokens: of each document; segment: tokens in a segment. A segment counts for the length nearest to what was read
    before it, by ratio, and for none beyond a factor of √2. Raises InfinidocError for a length that none reaches.
    """
    near: dict[int, list[Scored]] = {length: [] for length in lengths}
    for document, size in enumerate(tokens):
        for index in range(1, size // segment):
            length = min(lengths, key=lambda length: abs(math.log2(index * segment / length)))
            if abs(math.log2(index * segment / length)) <= 0.5:
                near[length].append(Scored(document, index, length))
    for length, found in near.items():
        if not found:
            raise InfinidocError(
                f"no document is long enough for a length of {length:,} tokens: the longest has {max(tokens):,}",
                "ask for shorter --lengths, or give longer texts: --prose PATH",
            )
    rng = random.Random(seed)
    chosen = [item for found in near.values() for item in rng.sample(found, min(samples, len(found)))]
    return sorted(chosen, key=lambda item: (item.document, item.index))


@dataclass
class Perplexity:
    """A run of the benchmark."""

    reader: Reader
    prose: Prose
    samples: int
    seed: int
    ledger: Ledger
    notify: Callable[[BenchProgress], None] = lambda progress: None
    slots: Sequence[int] = ()
    keep: Sequence[str] = KEEP
    slotted: BaseModel | None = None  # what slots are read with, if not with the reader's model
    progress: BenchProgress = field(default_factory=BenchProgress, init=False)

    def run(self, lengths: Sequence[int]) -> list[Row]:
        """Rows {"length", "system", "nll" (nats per token), "perplexity", "tokens" (scored), "read" (before, mean)}."""
        documents = [self.prose.document(index) for index in range(len(self.prose.names))]
        size = self.reader.segment_tokens
        chosen = choose([len(document) for document in documents], lengths, size, self.samples, self.seed)
        by_document = {number: [item for item in chosen if item.document == number] for number in range(len(documents))}
        todo = {number: items for number, items in by_document.items() if not self._done(items)}
        streams = 1 + len(self.slots)
        self.progress = BenchProgress(total=streams * sum(items[-1].index * size for items in todo.values()))
        for number, items in todo.items():
            self._score_document(number, documents[number], items)
        return list(self._rows(lengths, chosen))

    def _done(self, items: Sequence[Scored]) -> bool:
        return all(self.ledger.get(_name(item)) is not None for item in items)

    def _score_document(self, number: int, ids: Sequence[int], items: Sequence[Scored]) -> None:
        size = self.reader.segment_tokens

        def segment(index: int) -> Sequence[int]:
            return ids[index * size : (index + 1) * size]

        self.progress.name = self.prose.names[number]
        checkpoint = self.ledger.checkpoint(f"document{number}")
        done, state = checkpoint.load()
        items = [item for item in items if self.ledger.get(_name(item)) is None]
        if done > items[0].index:
            done, state = 0, None
        self._advance(done * size, read=False)
        streams = [SlotStream(self.slotted or self.reader.base, slots, self.keep) for slots in self.slots]
        for item in items:
            state = stream(self.reader, segment, done, item.index, state, checkpoint, self._advance)
            done = item.index
            losses = self._score(ids[: done * size], segment(done), state)
            for slots, reading in zip(self.slots, streams, strict=True):
                while reading.segments < done:
                    reading.read(segment(reading.segments))
                    self._advance(size)
                losses[named(slots)] = reading.loss(segment(done), losses["tokens"])
            self.ledger.put(_name(item), losses)
        checkpoint.remove()

    def _advance(self, tokens: int, read: bool = True) -> None:
        self.progress.done += tokens
        self.progress.read += tokens if read else 0
        self.notify(self.progress)

    def _score(self, before: Sequence[int], segment: Sequence[int], state: list[State]) -> dict[str, Any]:
        """The loss of a segment, summed over its tokens, for each system that can read it."""
        base = self.reader.base
        scored = len(segment) if base.start else len(segment) - 1  # nothing predicts a first token
        memory = CompressiveMemory(base.model, state).read_only()
        losses: dict[str, Any] = {"tokens": scored, "read": len(before)}
        losses[WINDOW] = loss(base.model, [*base.start, *segment], scored)
        losses[MEMORY] = loss(base.model, [*base.start, *segment], scored, memory)
        whole = [*base.start, *before, *segment]
        if len(whole) <= base.model.config.get_text_config(decoder=True).max_position_embeddings:
            losses[FULL] = loss(base.model, whole, scored)
        return losses

    def _rows(self, lengths: Sequence[int], chosen: Sequence[Scored]) -> Iterator[Row]:
        for length in lengths:
            found = [self.ledger.get(_name(item)) for item in chosen if item.length == length]
            tokens = sum(losses["tokens"] for losses in found)
            read = round(sum(losses["read"] for losses in found) / len(found))
            for system in (WINDOW, MEMORY, *map(named, self.slots), FULL):
                if all(system in losses for losses in found):
                    nll = math.fsum(losses[system] for losses in found) / tokens
                    row = {"length": length, "system": system, "nll": nll, "perplexity": math.exp(nll)}
                    yield {**row, "tokens": tokens, "read": read}


@torch.no_grad()
def loss(model: Any, ids: Sequence[int], scored: int, memory: CompressiveMemory | None = None) -> float:
    """The negative log-likelihood, in nats, of the last `scored` of some token ids, given those before them."""
    tokens = torch.tensor([list(ids)], device=model.device)
    cache = {} if memory is None else {"past_key_values": memory}
    logits: Tensor = model(tokens, logits_to_keep=scored + 1, use_cache=memory is not None, **cache).logits
    return float(torch.nn.functional.cross_entropy(logits[0, :-1].float(), tokens[0, -scored:], reduction="sum"))


def named(slots: int) -> str:
    """The system that has so many slots."""
    return f"{slots} slots"


def _name(item: Scored) -> str:
    return f"{item.document} {item.index}"
