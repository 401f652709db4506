"""The benchmarks that hide something in a long text and ask for it, answered from the compressive memory alone.

Every token of the text goes through the model, segment by segment, and what the segments leave in the memory is added
up. The question is then put with that memory behind an otherwise empty window.

All samples of one length share one background, which is streamed once. A sample changes a few segments, those with its
facts; its memory is the background's, minus what these segments left, plus what they leave with the facts in them.
Since segments are read one by one and additive kernels only sum, that is the memory of having streamed the whole
changed text (the tests compare the two).
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from infinidoc.errors import InfinidocError
from infinidoc.evaluation.ledger import Checkpoint, Ledger
from infinidoc.evaluation.longcontext.haystack import Haystack, places, plant
from infinidoc.evaluation.longcontext.lengths import short
from infinidoc.evaluation.longcontext.reader import BATCH, Reader, stream
from infinidoc.made import babi, needle, passkey
from infinidoc.made.sample import Sample, asked, is_right
from infinidoc.model.encoding import add, subtract
from infinidoc.model.kernels import State

MORE_TOKENS = 4  # generated beyond the answer's own length
TRIES = 100  # to scatter a story's facts so that every segment has room for those that fall to it
TOKENS_PER_FACT = 40  # a bAbI story has at most a fact per so many tokens: about a fifth of the text

Row = dict[str, Any]


@dataclass
class BenchProgress:
    """How far a benchmark is, in tokens. `read` leaves out what an earlier run had done."""

    total: int = 0
    done: int = 0
    read: int = 0
    name: str = ""


@dataclass(frozen=True)
class Group:
    """The samples of one row of a table, at any length: what the row is called, and how a sample is made.

    `draw` takes a length in tokens and returns a sample and the depths, 0 to 1 and ascending, of its facts.
    """

    labels: dict[str, Any]
    draw: Callable[[random.Random, int], tuple[Sample, list[float]]]
    slots: int = 0  # that the memory has

    def __str__(self) -> str:
        return " ".join(map(str, [*self.labels.values(), *([f"{self.slots} slots"] if self.slots else [])]))

    @property
    def columns(self) -> dict[str, Any]:
        return {"slots": self.slots, **self.labels} if self.slots else self.labels


def passkey_groups(depths: Sequence[float] = passkey.DEPTHS) -> list[Group]:
    return [Group({"depth": depth}, partial(_single, passkey.sample, depth)) for depth in depths]


def needle_groups(depths: Sequence[float] = needle.DEPTHS) -> list[Group]:
    return [Group({"depth": depth}, partial(_single, needle.sample, depth)) for depth in depths]


def babi_groups(tasks: Sequence[int] = babi.TASKS) -> list[Group]:
    return [Group({"task": f"qa{task}"}, partial(_story, task)) for task in tasks]


def _single(
    make: Callable[[random.Random], Sample], depth: float, rng: random.Random, length: int
) -> tuple[Sample, list[float]]:
    return make(rng), [depth]


def _story(task: int, rng: random.Random, length: int) -> tuple[Sample, list[float]]:
    """Facts at random places, in order. Stories have at most a fact per 40 tokens of text, and always room for ten."""
    story = babi.sample(task, rng, max(10, length // TOKENS_PER_FACT))
    return Sample(story.facts, asked(story.question), story.answer), sorted(rng.random() for _ in story.facts)


@dataclass
class Hidden:
    """A run of such a benchmark. `run` yields the rows that were done before and those that it measures.

    Deterministic: the i-th sample of a row depends on the seed, the length and the row's labels only.
    """

    reader: Reader
    tokens: Callable[[int, int], list[int]]
    groups: Sequence[Group]
    samples: int
    seed: int
    ledger: Ledger
    notify: Callable[[BenchProgress], None] = lambda progress: None
    progress: BenchProgress = field(default_factory=BenchProgress, init=False)
    _without: tuple[tuple[int, ...], list[State]] | None = field(default=None, init=False)

    def run(self, lengths: Sequence[int]) -> Iterator[Row]:
        """One row per length and group: {"length", **columns, "accuracy", "n", "example"}."""
        self.progress = BenchProgress(total=sum(self._work(length) for length in lengths))
        for length in lengths:
            if todo := self._todo(length):
                checkpoint = self.ledger.checkpoint(str(length))
                self._measure_length(length, todo, checkpoint)
                checkpoint.remove()
            for group in self.groups:
                yield {"length": length, **group.columns, **self.ledger.get(name_of(length, group))}

    def _todo(self, length: int) -> list[Group]:
        return [group for group in self.groups if self.ledger.get(name_of(length, group)) is None]

    def _measure_length(self, length: int, groups: Sequence[Group], checkpoint: Checkpoint) -> None:
        haystack = self._haystack(length)
        self.progress.name = f"reading {short(length)} tokens"
        done, state = checkpoint.load()
        self._advance(done * length // len(haystack), read=False)
        background = stream(self.reader, haystack.segment, done, len(haystack), state, checkpoint, self._advance)
        for group in groups:
            self.progress.name = f"{short(length)} tokens, {group}"
            self.ledger.put(name_of(length, group), self._measure(haystack, background, group))

    def _haystack(self, length: int) -> Haystack:
        return Haystack(self.tokens, length, self.reader.segment_tokens)

    def _advance(self, tokens: int, read: bool = True) -> None:
        self.progress.done += tokens
        self.progress.read += tokens if read else 0
        self.notify(self.progress)

    def _work(self, length: int) -> int:
        """How many tokens a length costs: its background, and what samples change in it."""
        haystack = self._haystack(length)
        todo = self._todo(length)
        drawn = (next(self._draws(group, length, index)) for group in todo for index in range(self.samples))
        changed = sum(len({segment for segment, _ in places(haystack, depths)}) for _, depths in drawn)
        return bool(todo) * length + changed * (length // len(haystack))

    def _draws(self, group: Group, length: int, index: int) -> Iterator[tuple[Sample, list[float]]]:
        """The index-th sample of a row; again and again, in case it doesn't fit where its depths put it."""
        rng = random.Random(f"{self.seed}/{length}/{group.labels}/{index}")
        for _ in range(TRIES):
            yield group.draw(rng, length)

    def _measure(self, haystack: Haystack, background: list[State], group: Group) -> Row:
        """{"accuracy", "n", "example"}; the example is the row's first sample, and what was generated for it."""
        right = 0
        example: dict[str, str] = {}
        for first in range(0, self.samples, BATCH):
            hidden, states = [], []
            for index in range(first, min(first + BATCH, self.samples)):
                sample, planted = self._plant(haystack, group, index)
                hidden.append(sample)
                states.append(self._memory(haystack, background, planted))
            longest = max(len(self.reader.base.encode(" " + sample.answer)) for sample in hidden)
            texts = self.reader.answer([sample.prompt for sample in hidden], states, longest + MORE_TOKENS)
            right += sum(is_right(text, sample.answer) for text, sample in zip(texts, hidden, strict=True))
            example = example or {"prompt": hidden[0].prompt, "answer": hidden[0].answer, "generated": texts[0]}
        return {"accuracy": right / self.samples, "n": self.samples, "example": example}

    def _plant(self, haystack: Haystack, group: Group, index: int) -> tuple[Sample, dict[int, list[int]]]:
        encode = self.reader.base.encode
        for sample, depths in self._draws(group, haystack.length, index):
            with suppress(ValueError):
                facts = [encode(" " + fact) for fact in sample.facts]
                return sample, plant(haystack, facts, depths, self.reader.text)
        raise InfinidocError(
            f"a length of {haystack.length} tokens has no room for {group.labels}", "take a longer one"
        )

    def _memory(self, haystack: Haystack, background: list[State], planted: dict[int, list[int]]) -> list[State]:
        """The memory of a sample: the background's with some of its segments exchanged."""
        changed = (haystack.length, *sorted(planted))
        if self._without is None or self._without[0] != changed:  # samples of a row often change the same ones
            old = self.reader.fold(haystack.segment(index) for index in sorted(planted))
            self._without = changed, subtract(background, old)
        return add(self._without[1], self.reader.fold(planted.values(), self._advance))


def name_of(length: int, group: Group) -> str:
    """The row's name in a ledger."""
    return f"{length} {group.columns}"
