"""What is trained on what: the tasks of each part of an adapter, their shares, and how hard they are when.

A task gets the random generator and how far the run is (0 to 1); most start easy. Memory tasks first learn the
mechanism on bare facts, then among prose, then among ever more of it.
"""

import random
from collections.abc import Mapping
from dataclasses import replace

from infinidoc.made import babi
from infinidoc.training import examples
from infinidoc.training.corpus import Corpus, written, xquad
from infinidoc.training.examples import TrainingExample
from infinidoc.training.trainer import Maker, Settings

MECHANISM = 0.12  # of a run: facts alone
DECADES = 6.0  # a background of up to a million tokens
GROWTH = 0.6  # of a run, after which the background has its full length
WRITTEN = 0.65  # of what is asked about real articles, on those that were written for training


def decades(progress: float) -> float:
    """How long the longest haystack is by now, as a power of ten."""
    return DECADES * min(1.0, max(0.0, progress - MECHANISM) / GROWTH)


def some_background(rng: random.Random, progress: float) -> float:
    """Tokens of foreign prose: none for a third of the examples, else log-uniform from 100 on."""
    longest = decades(progress)
    return 10 ** rng.uniform(min(2.0, longest), longest) if longest and rng.random() < 0.67 else 0.0


def some_articles(rng: random.Random) -> Corpus:
    return written() if rng.random() < WRITTEN else xquad(held_out=False)


def facts(rng: random.Random, progress: float) -> TrainingExample:
    if progress < MECHANISM:
        return examples.facts(rng, 3)
    segments = rng.choice([1, 1, 2, 3, 4])
    around = rng.choice([0, 0, 2, 4, 10])
    return examples.facts(rng, rng.choice([2, 4, 6, 8]), segments, around, some_background(rng, progress))


def passkey(rng: random.Random, progress: float) -> TrainingExample:
    if rng.random() < 0.6:
        return examples.passkey(rng, decades(progress))
    return examples.hidden_passkey(rng, some_background(rng, progress))


def diluted(rng: random.Random, progress: float) -> TrainingExample:
    return examples.diluted(rng, max(0.5, decades(progress) - 1.0))


def remembered(rng: random.Random, progress: float) -> TrainingExample:
    return examples.remembered(rng, some_articles(rng), rng.choice([0, 0, 1, 2]), some_background(rng, progress) / 10)


def continued(rng: random.Random, progress: float) -> TrainingExample:
    return examples.continued(rng, rng.choice([600, 1200, 1800]), segments=3)


def stories(rng: random.Random, progress: float) -> TrainingExample:
    return examples.story(rng, babi.sample(rng.choice(babi.TASKS), rng, 12), some_background(rng, progress) / 10)


def reading(rng: random.Random, progress: float) -> TrainingExample:
    return examples.read(rng, some_articles(rng), **reading_shares(progress))


def answering(rng: random.Random, progress: float) -> TrainingExample:
    """Reading as `ask` does it: with a memory behind the window."""
    background = 10 ** rng.uniform(2.5, DECADES)
    return examples.read(rng, some_articles(rng), **reading_shares(progress), background=background)


def reading_shares(progress: float) -> dict[str, float]:
    """Made-up passages teach the form; real ones are harder, and come ever more. Refusals are learnt early."""
    return {"generated": 0.5 - 0.25 * progress, "refused": 0.3 - 0.08 * progress}


MAKERS: Mapping[str, Maker] = {
    "facts": facts,
    "passkey": passkey,
    "diluted": diluted,
    "remembered": remembered,
    "continued": continued,
    "stories": stories,
    "reading": reading,
    "answering": answering,
}
MEMORY = {
    "facts": 4.0,
    "passkey": 2.0,
    "diluted": 1.5,
    "remembered": 2.0,
    "continued": 1.0,
    "stories": 1.5,
    "keep": 0.5,
}
# Joined runs begin with what the parts have learnt: no mechanism to find, and long haystacks from the start.
JOINED = {
    "facts": 3.0,
    "passkey": 3.0,
    "diluted": 1.0,
    "remembered": 1.5,
    "continued": 1.0,
    "stories": 1.0,
    "reading": 4.0,
    "answering": 3.0,
    "keep": 3.0,
}
# The run after it: mostly reading real passages, and back towards the base model on plain prose.
FINISH = {
    "facts": 1.5,
    "passkey": 2.5,
    "diluted": 0.5,
    "remembered": 1.0,
    "continued": 1.0,
    "stories": 0.5,
    "reading": 8.0,
    "answering": 5.0,
    "keep": 5.0,
}
# The last run: whole segments of plain prose, as the base model reads them, and going on from what the memory holds.
SETTLE = FINISH | {"facts": 1.0, "continued": 8.0, "reading": 5.0, "answering": 4.0, "keep": 9.0}
ALL = Settings(rank=32, mlp=True, batch_tokens=1700)  # a run over several parts
PARTS: Mapping[str, Settings] = {
    "memory": Settings(rank=16, steps=260, batch_tokens=1500, tasks=MEMORY),
    "joined": replace(ALL, steps=300, rate=0.5, processes=2, tasks=JOINED, hard_from=0.7, token_rate=10.0),
    "finish": replace(ALL, steps=500, rate=0.4, tasks=FINISH, keep=4.0, hard_from=1.0),
    "settle": replace(ALL, steps=260, rate=0.3, tasks=SETTLE, keep=12.0, hard_from=1.0),
}
