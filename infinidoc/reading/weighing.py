"""A short answer of a trained reader, weighed: all passages read together, and each by itself.

A small reader is led astray by passages that only look as if they held the answer; asked of each by itself, it refuses
most of those. What it says of each reading is a candidate. Given is the one that is likeliest over all readings, by the
sum of p(answer | reading) (RAG-Sequence, arXiv 2005.11401, its passages equally likely), of those whose words stand in
the passages, if any do.
"""

import math
from collections.abc import Sequence
from itertools import takewhile

import torch
from torch import Tensor

from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.decoding import go_on, read
from infinidoc.model.prompts import REFUSAL, Titled, reading_prompt
from infinidoc.reading.quoting import Shown, find_quotes, is_verbatim
from infinidoc.reading.whole import whole

REFUSED = 0.25  # a reading refuses if that is likelier; a question is refused if all its readings do


def weighed(base: BaseModel, question: str, passages: Sequence[Titled], max_tokens: int) -> str:
    """The answer to a question from passages, best first, or `REFUSAL`."""
    together = Reading(base, question, passages[::-1])
    readings = [together]
    if len(passages) > 1:
        readings += [Reading(base, question, [passage]) for passage in passages[:-1]]
        readings.append(Reading(base, question, passages[-1:], begun=together))
    if all(reading.refuses(REFUSED) for reading in readings):
        return REFUSAL
    said = [reading.answer(max_tokens) for reading in readings if not reading.refuses(0.5)]
    candidates = {text: ids for text, ids in said if text and text != REFUSAL}
    if not candidates:
        return REFUSAL
    shown = [Shown(*passage) for passage in passages]
    quotes = [find_quotes(text, question, shown) for text in candidates]
    stands = [is_verbatim(text, found) is not False for text, found in zip(candidates, quotes, strict=True)]
    likelihood = [0.0]
    if len(candidates) > 1:
        each = [reading.likelihood(list(candidates.values())) for reading in readings]
        likelihood = torch.stack(each).logsumexp(0).tolist()
    *_, text, found = max(zip(stands, likelihood, candidates, quotes, strict=True))
    return whole(text, question, found)


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

    def refuses(self, threshold: float) -> bool:
        """Whether a refusal is likelier than that."""
        refusal = self.base.encode(REFUSAL)
        floor = math.log(threshold)
        return self.first[refusal[0]].item() > floor and self.likelihood([refusal]).item() > floor

    def answer(self, max_tokens: int) -> tuple[str, list[int]]:
        """The likeliest tokens, one after the other, to the end of the answer, and their text."""
        [ids] = go_on(self.base, self.first.argmax()[None], self.memory, max_tokens, self.base.marks[1:])
        return " ".join(self.base.decode(ids).split()), ids

    def likelihood(self, answers: Sequence[Sequence[int]]) -> Tensor:
        """log p of each answer (A,), with its end."""
        longest = max(map(len, answers))
        memory = self.memory.copy()
        memory.reorder_cache(torch.zeros(len(answers), dtype=torch.long, device=self.base.device))
        # Padding comes last, so causal attention hides it from all that counts.
        later = self._after([[*ids, *[0] * (longest - len(ids))] for ids in answers], memory, longest)
        scores = torch.cat([self.first.expand(len(answers), 1, -1), later], 1)
        ended = [[*ids, self.base.marks[1]] for ids in answers]
        return torch.stack([row[range(len(ids)), ids].sum() for row, ids in zip(scores, ended, strict=True)])

    @torch.no_grad()
    def _after(self, ids: Sequence[Sequence[int]], memory: CompressiveMemory, last: int) -> Tensor:
        """Log-probabilities (B, last, V) of what comes after each of the last tokens of `ids` (B, N)."""
        tokens = torch.tensor(ids, device=self.base.device)
        output = self.base.model(input_ids=tokens, past_key_values=memory, use_cache=True, logits_to_keep=last)
        return output.logits.float().log_softmax(-1)
