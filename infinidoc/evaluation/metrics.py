"""How good answers and rankings are, how sure that is, and whether one system is better than another.

Normalisation, exact match and F1 are those of the official SQuAD scripts (Rajpurkar et al., arXiv 1606.05250; for
empty answers version 2.0, arXiv 1806.03822).
"""

import math
import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
CONFIDENCE = 0.95
_AT_ONCE = 2_000_000  # numbers drawn at once while resampling

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalise(text: str) -> str:
    """Lower case, without (ASCII) punctuation and the articles a, an, the; single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, golds: Sequence[str]) -> float:
    """1.0 if the answer is one of the gold answers, normalised."""
    return float(normalise(answer) in {normalise(gold) for gold in golds})


def f1(answer: str, golds: Sequence[str]) -> float:
    """The best harmonic mean of precision and recall of words over the gold answers."""
    return max((_f1(normalise(answer).split(), normalise(gold).split()) for gold in golds), default=0.0)


def _f1(answer: list[str], gold: list[str]) -> float:
    if not answer or not gold:
        return float(answer == gold)
    shared = (Counter(answer) & Counter(gold)).total()
    return 2 * shared / (len(answer) + len(gold))


def contains(answer: str, golds: Sequence[str]) -> float:
    """1.0 if a gold answer stands in the answer, as whole words, normalised."""
    words = f" {normalise(answer)} "
    return float(any(f" {normalise(gold)} " in words for gold in golds if normalise(gold)))


def source_at(ranking: Sequence[str], source: str, first: int) -> float:
    """1.0 if the right source is among the first so many different documents of a ranking."""
    return float(source in list(dict.fromkeys(ranking))[:first])


def interval(values: Sequence[float], seed: int) -> tuple[float, float]:
    """The bootstrap interval of the mean (percentiles of 10,000 resamples, 95 %; Efron, 1979).

    Raises ValueError without values.
    """
    if not len(values):
        raise ValueError("no values to resample")
    sample = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    rows = max(1, _AT_ONCE // len(sample))
    means: list[float] = []
    while len(means) < RESAMPLES:
        draws = rng.integers(0, len(sample), (min(rows, RESAMPLES - len(means)), len(sample)))
        means += sample[draws].mean(axis=1).tolist()
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


@dataclass(frozen=True)
class Paired:
    """Two systems on the same questions: how often the first is better, worse, or equal; by how much on average.

    `p` is the exact two-sided sign test's: how likely so lopsided a count is if neither is better, ties left out.
    """

    wins: int
    losses: int
    ties: int
    difference: float
    interval: tuple[float, float]
    p: float


def paired(first: Sequence[float], second: Sequence[float], seed: int) -> Paired:
    """Compares scores (N,) question by question. Raises ValueError if there are none, or their numbers differ."""
    differences = [a - b for a, b in zip(first, second, strict=True)]
    wins, losses = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    mean = math.fsum(differences) / max(1, len(differences))
    ties = len(differences) - wins - losses
    return Paired(wins, losses, ties, mean, interval(differences, seed), sign_test(wins, losses))


def sign_test(wins: int, losses: int) -> float:
    """The two-sided p value of a fair coin's wins and losses."""
    tosses = wins + losses
    tail = sum(math.comb(tosses, count) for count in range(min(wins, losses) + 1))
    return min(1.0, 2 * tail / 2**tosses)
