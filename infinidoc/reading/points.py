"""Sentences that stand for a long text, or for what it says of something: its own, from its start to its end.

Nothing is made up; a small model that tells a long text in its own words invents. Words propose the main points, and
the memory of a model that has read all of it chooses: those that it has made likelier than they are by themselves.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infinidoc.documents.sentences import sentences
from infinidoc.documents.wording import WORD, content
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.decoding import read

PROPOSED = 3  # sentences of each stretch
SHORTEST, LONGEST = 8, 48  # words of a sentence that can stand by itself
AT_ONCE = 8  # sentences that are read side by side


@dataclass(frozen=True)
class Sentence:
    """Where it stands in a text: [start:end]."""

    start: int
    end: int
    text: str


def proposed(text: str, stretches: Sequence[tuple[int, int]], question: str = "") -> list[list[Sentence]]:
    """Of each stretch (start, end) of a text the sentences whose words are commonest in all of it; a word of the
    question counts as one that is everywhere, one that the best of an earlier stretch has for little (as SumBasic,
    Nenkova and Vanderwende, 2005). Longer sentences are preferred: what is merely said in a scene tells little."""
    found = [list(_in(text, *stretch)) or list(_in(text, *stretch, shortest=1)) for stretch in stretches]
    words = {one: content(one.text) for those in found for one in those}
    counts = Counter(word for those in words.values() for word in those)
    counts |= Counter(dict.fromkeys(content(question) & counts.keys(), len(words)))
    shares = {word: count / len(words) for word, count in counts.items()}

    def common(one: Sentence) -> float:
        return sum(shares[word] for word in words[one]) / math.sqrt(len(words[one]) or 1)

    best = []
    for those in found:
        best.append(sorted(those, key=common, reverse=True)[:PROPOSED])
        for one in best[-1][:1]:
            shares |= {word: shares[word] ** 2 for word in words[one]}
    return best


def bearing(text: str, question: str, count: int) -> list[Sentence]:
    """Sentences of a text that have the words of a question, rare ones first of all; at most so many, in their order.
    None that has less than half of what the question asks about, by weight, of what stands in the text at all."""
    found = list(_in(text, 0, len(text), shortest=1))
    asked = content(question)
    had = {one: asked & content(one.text) for one in found}
    counts = Counter(word for words in had.values() for word in words)

    def weight(words: Iterable[str]) -> float:
        return sum(math.log(1 + len(found) / counts[word]) for word in words)

    enough = weight(counts) / 2
    best = sorted((one for one in found if had[one] and weight(had[one]) >= enough), key=lambda one: -weight(had[one]))
    return sorted(best[:count], key=lambda one: one.start)


def _in(text: str, start: int, end: int, shortest: int = SHORTEST) -> Iterator[Sentence]:
    """The sentences between two characters of a text that have so many words, and not too many."""
    for first, last in sentences(text[start:end]):
        one = Sentence(start + first, start + last, text[start + first : start + last])
        if shortest <= len(WORD.findall(one.text)) <= LONGEST:
            yield one


@torch.no_grad()
def lift(base: BaseModel, asked: Sequence[int], memory: CompressiveMemory, texts: Sequence[str]) -> list[float]:
    """By how much a memory makes each of some texts likelier after the token ids `asked`: nats per token; 0 if it is
    empty."""
    if not memory.slots:
        return [0.0] * len(texts)
    ids = [base.encode(text) for text in texts]
    with_it, without = (
        _likelihood(base, asked, behind, ids) for behind in (memory, CompressiveMemory(base.model).read_only())
    )
    return [a - b for a, b in zip(with_it, without, strict=True)]


def _likelihood(
    base: BaseModel, asked: Sequence[int], memory: CompressiveMemory, texts: Sequence[Sequence[int]]
) -> list[float]:
    """log p per token of each text after `asked`, behind a memory."""
    begun = memory.copy()
    first = read(base, torch.tensor([list(asked)], device=base.device), begun)[0].float().log_softmax(-1)  # (V,)
    found: list[float] = []
    for start in range(0, len(texts), AT_ONCE):
        batch = texts[start : start + AT_ONCE]
        width = max(map(len, batch))
        rows = begun.copy()
        rows.reorder_cache(torch.zeros(len(batch), dtype=torch.long, device=base.device))
        # Padding comes last, so causal attention hides it from all that counts.
        tokens = torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in batch], device=base.device)
        later: Tensor = base.model(input_ids=tokens, past_key_values=rows, use_cache=True).logits
        scores = later.float().log_softmax(-1)  # (B, width, V): of what comes after each token
        for row, ids in zip(scores, batch, strict=True):
            total = first[ids[0]] + row[range(len(ids) - 1), ids[1:]].sum()
            found.append(float(total) / len(ids))
    return found
