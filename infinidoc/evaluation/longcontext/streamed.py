"""The benchmarks that hide something, answered from memories with slots. What those hold depends on the order of what
was read, so nothing can be exchanged afterwards: each sample's text is streamed from its first fact to its end."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from infinidoc.evaluation.ledger import Checkpoint
from infinidoc.evaluation.longcontext.haystack import Haystack, places
from infinidoc.evaluation.longcontext.hidden import MORE_TOKENS, Group, Hidden, name_of
from infinidoc.evaluation.longcontext.lengths import short
from infinidoc.evaluation.longcontext.streams import SlotStream
from infinidoc.made.sample import is_right
from infinidoc.model.slots import KEEP


@dataclass
class Streamed(Hidden):
    """A run whose groups say how many slots answer. What comes before a first fact is read once for samples in a row.

    Samples are those that `Hidden` draws, whatever the slots; each is in the ledger when it is done.
    """

    keep: Sequence[str] = KEEP
    _begun: tuple[int, int, SlotStream] | None = field(default=None, init=False)  # length, slots

    def _measure_length(self, length: int, groups: Sequence[Group], checkpoint: Checkpoint) -> None:
        haystack = self._haystack(length)
        for group in groups:
            self.progress.name = f"{short(length)} tokens, {group}"
            found = [self._answered(haystack, group, index) for index in range(self.samples)]
            accuracy = sum(sample["right"] for sample in found) / self.samples
            example = {key: found[0][key] for key in ("prompt", "answer", "generated")}
            self.ledger.put(name_of(length, group), {"accuracy": accuracy, "n": self.samples, "example": example})

    def _work(self, length: int) -> int:
        haystack, total = self._haystack(length), 0
        for group in self._todo(length):
            for index in range(self.samples):
                _, depths = next(self._draws(group, length, index))
                total += length - places(haystack, depths)[0][0] * length // len(haystack)
        return total

    def _answered(self, haystack: Haystack, group: Group, index: int) -> dict[str, Any]:
        """What is generated for the index-th sample of a row, and whether that is right."""
        name = f"{name_of(haystack.length, group)} {index}"
        if (found := self.ledger.get(name)) is None:
            sample, planted = self._plant(haystack, group, index)
            stream = self._until(haystack, group.slots, min(planted))
            for number in range(stream.segments, len(haystack)):
                segment = planted.get(number) or haystack.segment(number)
                stream.read(segment)
                self._advance(len(segment))
            tokens = len(self.reader.base.encode(" " + sample.answer)) + MORE_TOKENS
            text = stream.answer(sample.prompt, tokens)
            found = {"prompt": sample.prompt, "answer": sample.answer, "generated": text}
            self.ledger.put(name, found | {"right": is_right(text, sample.answer)})
        return dict(self.ledger.get(name))

    def _until(self, haystack: Haystack, slots: int, segment: int) -> SlotStream:
        """What the segments before this one leave."""
        if self._begun is None or self._begun[:2] != (haystack.length, slots) or self._begun[2].segments > segment:
            self._begun = haystack.length, slots, SlotStream(self.reader.base, slots, self.keep)
        begun = self._begun[2]
        while begun.segments < segment:
            begun.read(haystack.segment(begun.segments))
        return begun.copy()
