"""A short answer of a trained reader, read again where it is in doubt.

A small reader is led astray by what stands beside an answer. So an answer that it isn't sure of is read a second time,
from the few sentences that the question's words point at; and what either reading says, once more, from the passage
where it stands, by itself. Given is the answer that is likeliest over all readings, by the sum of p(answer | reading)
(RAG-Sequence, arXiv 2005.11401, what was read being equally likely), of those whose words stand in the passages, if any
do.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import Tensor

from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.decoding import go_on, read
from infinidoc.model.prompts import REFUSAL, Titled, reading_prompt
from infinidoc.model.threads import on_free_cores
from infinidoc.reading.quoting import Quote, Shown, find_quotes, gist, is_verbatim
from infinidoc.reading.whole import whole

SURE = 0.5  # an answer that is likelier than that, and stands in the passages, is given without a second look
REFUSED = 0.25  # a question is refused if that is likelier in both readings of several passages
GIST = 3  # sentences


def weighed(base: BaseModel, question: str, passages: Sequence[Titled], max_tokens: int) -> str:
    """The answer to a question from passages, best first, or `REFUSAL`."""
    shown = [Shown(*passage) for passage in passages]
    candidates: dict[str, Candidate] = {}

    def consider(reading: "Reading") -> "Candidate | None":
        text, ids = reading.answer(max_tokens)
        if not text or text == REFUSAL or reading.refuses(0.5):
            return None
        if text not in candidates:
            candidates[text] = Candidate(ids, find_quotes(text, question, shown), text)
        return candidates[text]

    together = Reading(base, question, passages[::-1])
    first = consider(together)
    if first and first.stands and together.likelihood([first.ids]).item() > math.log(SURE):
        return whole(first.text, question, first.quotes)
    readings = [together]
    if (few := gist(question, shown, GIST)) != list(passages):
        readings.append(Reading(base, question, few[::-1]))
        consider(readings[1])
    several = len(passages) > 1  # one that recall sets apart from all others is more often the right one
    if not candidates or (several and all(reading.refuses(REFUSED) for reading in readings)):
        return REFUSAL
    if several:
        sources = {quote.source for one in candidates.values() for quote in one.quotes if quote.verbatim}
        for source in sorted(sources):
            begun = together if source == len(passages) - 1 else None  # what that one begins with
            readings.append(Reading(base, question, [passages[source]], begun))
            consider(readings[-1])
    every, likelihood = list(candidates.values()), [0.0]
    if len(every) > 1:
        each = [reading.likelihood([one.ids for one in every]) for reading in readings]
        likelihood = torch.stack(each).logsumexp(0).tolist()
    *_, best = max(zip([one.stands for one in every], likelihood, range(len(every)), strict=True))
    return whole(every[best].text, question, every[best].quotes)


@dataclass(frozen=True)
class Candidate:
    """An answer that a reading gave, its tokens, and where its words stand."""

    ids: list[int]
    quotes: list[Quote]
    text: str

    @property
    def stands(self) -> bool:
        return is_verbatim(self.text, self.quotes) is not False


class Reading:
    """Passages and a question that the model has read, and what it says next.

    What it has read already, if another reading `begun` with the same passages, it doesn't read again.
    """

    def __init__(self, base: BaseModel, question: str, passages: Sequence[Titled], begun: "Reading | None" = None):
        self.base, self.ids = base, reading_prompt(base, question, passages)
        self.memory, known = CompressiveMemory(base.model).read_only(), 0
        if begun:
            both = zip(self.ids[:-1], begun.ids, strict=False)
            known = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
            self.memory = begun.memory.begin(known)
        ids = torch.tensor([self.ids[known:]], device=base.device)
        self.first = read(base, ids, self.memory)[0].float().log_softmax(-1)  # (V,)
        self._said: tuple[list[int], Tensor] | None = None  # the likeliest answer, and its log p

    def refuses(self, threshold: float) -> bool:
        """Whether a refusal is likelier than that."""
        refusal = self.base.encode(REFUSAL)
        floor = math.log(threshold)
        return self.first[refusal[0]].item() > floor and self.likelihood([refusal]).item() > floor

    def answer(self, max_tokens: int) -> tuple[str, list[int]]:
        """The likeliest tokens, one after the other, to the end of the answer, and their text."""
        scores = [self.first]
        [ids] = go_on(
            self.base,
            self.first.argmax()[None],
            self.memory,
            max_tokens,
            self.base.marks[1:],
            hear_logits=lambda logits: scores.append(logits[0].float().log_softmax(-1)),
        )
        if len(scores) > len(ids):  # it came to its end
            each = [row[token] for row, token in zip(scores, [*ids, self.base.marks[1]], strict=True)]
            self._said = ids, torch.stack(each).sum()
        return " ".join(self.base.decode(ids).split()), ids

    def likelihood(self, answers: Sequence[Sequence[int]]) -> Tensor:
        """log p of each answer (A,), with its end; that of the one it gave is known from saying it."""
        if self._said and [*answers] == [self._said[0]]:
            return self._said[1][None]
        longest = max(map(len, answers))
        memory = self.memory.copy()
        memory.reorder_cache(torch.zeros(len(answers), dtype=torch.long, device=self.base.device))
        # Padding comes last, so causal attention hides it from all that counts.
        later = self._after([[*ids, *[0] * (longest - len(ids))] for ids in answers], memory, longest)
        scores = torch.cat([self.first.expand(len(answers), 1, -1), later], 1)
        ended = [[*ids, self.base.marks[1]] for ids in answers]
        return torch.stack([row[range(len(ids)), ids].sum() for row, ids in zip(scores, ended, strict=True)])

    @torch.no_grad()
    @on_free_cores()
    def _after(self, ids: Sequence[Sequence[int]], memory: CompressiveMemory, last: int) -> Tensor:
        """Log-probabilities (B, last, V) of what comes after each of the last tokens of `ids` (B, N)."""
        tokens = torch.tensor(ids, device=self.base.device)
        output = self.base.model(input_ids=tokens, past_key_values=memory, use_cache=True, logits_to_keep=last)
        return output.logits.float().log_softmax(-1)
