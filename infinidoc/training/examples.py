"""What the compressive memory and the reader are trained on: things told, a question, its answer.

Every maker takes a random generator and returns one example. The told segments go into the memory, each with an empty
memory of its own; the prompt stands in the window; nothing but the memory joins the two.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

from infinidoc.made import passkey as passkey_task
from infinidoc.made.babi import Story
from infinidoc.made.passages import passage as generated_passage
from infinidoc.model.prompts import REFUSAL, question_prompt
from infinidoc.training.corpus import Corpus, plain, prose, sentences, xquad

FILLER = passkey_task.FILLER + " "
# fmt: off
NAMES = [
    "Anna", "Boris", "Carla", "Derek", "Elena", "Felix", "Greta", "Hugo", "Irene", "Jonas", "Karin", "Louis",
    "Maria", "Nadia", "Oscar", "Paula", "Quinn", "Rosa", "Simon", "Tara", "Ursula", "Victor", "Wendy", "Xavier",
    "Yusuf", "Zelda", "Aaron", "Bella", "Chloe", "David", "Emma", "Frank", "Grace", "Henry", "Isla", "Jack", "Kevin",
    "Laura", "Martin", "Nora",
]
VALUES = {
    "city": [
        "Paris", "London", "Rome", "Madrid", "Berlin", "Vienna", "Prague", "Dublin", "Oslo", "Athens", "Lisbon",
        "Warsaw", "Cairo", "Tokyo", "Boston", "Chicago", "Denver", "Miami", "Seattle", "Dallas",
    ],
    "job": [
        "doctor", "lawyer", "teacher", "nurse", "pilot", "chef", "farmer", "banker", "writer", "painter", "singer",
        "dentist", "engineer", "soldier", "judge", "actor",
    ],
    "color": [
        "red", "blue", "green", "yellow", "purple", "orange", "black", "white", "pink", "brown", "gray", "silver",
    ],
    "pet": [
        "dog", "cat", "horse", "rabbit", "parrot", "snake", "turtle", "goat", "pig", "duck", "cow", "sheep",
    ],
}
# fmt: on
CODE = "code"


@dataclass(frozen=True)
class TrainingExample:
    """`told` segments go into the memory, the i-th as if it stood there counts[i] times (once without `counts`: the
    state is a sum, so a long repetitive text costs one segment). `background` is how many tokens of foreign prose lie
    in the memory as well, and `prose` says which told segments may serve as such for others. The window holds the turns
    one after the other: a prompt and an answer each; the loss is on the answers."""

    told: tuple[str, ...]
    turns: tuple[tuple[str, str], ...]
    counts: tuple[float, ...] = ()
    background: float = 0.0
    prose: tuple[int, ...] = ()


def conversation(asked: Sequence[tuple[str, str]], passages: Sequence[str] = ()) -> tuple[tuple[str, str], ...]:
    """Questions with their answers as turns: one reading of the passages teaches several answers."""
    return tuple(
        (question_prompt(question, passages) if number == 0 else "\n" + question_prompt(question), f" {answer}\n")
        for number, (question, answer) in enumerate(asked)
    )


def facts(
    rng: random.Random, count: int, segments: int = 1, around: int = 0, background: float = 0.0
) -> TrainingExample:
    """`count` facts over `segments`, some of them asked; `around` sentences of prose in each segment."""
    keys = rng.sample([(name, kind) for name in NAMES for kind in (*VALUES, CODE)], count)
    told = [(n, k, str(rng.randint(1000, 99999)) if k == CODE else rng.choice(VALUES[k])) for n, k in keys]
    text = [some_sentences(rng, around) for _ in range(segments)]
    for name, kind, value in told:
        into = rng.choice(text)
        into.insert(rng.randint(0, len(into)), f"The {kind} of {name} is {value}.")
    turns = []
    for name, kind, value in rng.sample(told, min(len(told), 4)):
        asked = f"What is the {kind} of {name}?"
        form = rng.random()
        if form < 0.4:
            turns.append((f"{question_prompt(asked)} The {kind} of {name} is", f" {value}.\n"))
        elif form < 0.7:
            turns.append((question_prompt(asked), f" {value}\n"))
        else:
            turns.append((f"{asked} The {kind} of {name} is", f" {value}.\n"))
    return TrainingExample(tuple(" ".join(part) or FILLER for part in text), tuple(turns), (), background)


def passkey(rng: random.Random, decades: float) -> TrainingExample:
    """The paper's task: five digits in filler that stands there 10^0 to 10^decades times."""
    key, around = str(rng.randint(10000, 99999)), rng.choice([3, 5, 9, 19])
    before = rng.randint(0, around)
    hidden = f"The pass key is {key}. Remember it. {key} is the pass key. "
    skipped = rng.randrange(20)  # real segments begin anywhere in the filler
    plain = (FILLER * rng.choice([6, 20])).split(" ")
    told = (" ".join(plain[skipped:]), FILLER * before + hidden + FILLER * (around - before))
    prompt = passkey_task.PROMPT
    return TrainingExample(told, ((prompt, f" {key}."),), (10 ** rng.uniform(0, decades), 1.0))


def hidden_passkey(rng: random.Random, background: float) -> TrainingExample:
    """Five digits in real prose."""
    key = str(rng.randint(10000, 99999))
    text = some_sentences(rng, rng.randint(2, 6))
    text.insert(rng.randint(0, len(text)), f"The pass key is {key}. Remember it. {key} is the pass key.")
    turns = ((passkey_task.PROMPT, f" {key}."),)
    return TrainingExample((" ".join(text),), turns, (), background)


def diluted(rng: random.Random, decades: float) -> TrainingExample:
    """Facts beside segments of prose that count 10^0 to 10^decades times: the write gate learns to close on prose."""
    example = facts(rng, rng.choice([2, 4, 6]), 1, rng.choice([0, 3]))
    count = 10 ** rng.uniform(0, decades)
    noise = tuple(" ".join(some_sentences(rng, 5)) for _ in range(2))
    return replace(example, told=(*example.told, *noise), counts=(1.0, count, count), prose=(1, 2))


def remembered(rng: random.Random, corpus: Corpus, others: int = 0, background: float = 0.0) -> TrainingExample:
    """Questions on a paragraph that is in the memory, with other paragraphs."""
    if rng.random() < 0.5:
        made = generated_passage(rng)
        text, asked = made.text, [(one.question, one.answer) for one in made.asked]
    else:
        text = rng.choice(corpus.paragraphs)
        asked = [(one.text, shortest(one.answers)) for one in corpus.on(text)]
    segments = [text, *(a_passage(rng, corpus) for _ in range(others))]
    rng.shuffle(segments)
    return TrainingExample(tuple(segments), conversation(rng.sample(asked, min(3, len(asked)))), (), background)


def read(
    rng: random.Random, corpus: Corpus, generated: float = 0.5, refused: float = 0.3, background: float = 0.0
) -> TrainingExample:
    """Questions on one of several passages in the window, in any order; some that none of them answers."""
    others = rng.choice([0, 1, 2, 2, 3])
    if rng.random() < generated:
        made = generated_passage(rng)
        shown = [made.text, *(generated_passage(rng, rng.choice([made.kind, None])).text for _ in range(others))]
        asked = [(one.question, one.answer) for one in made.asked]
        unanswerable = list(made.unanswerable)
    else:
        text = rng.choice(corpus.paragraphs)
        asked = [(one.text, shortest(one.answers)) for one in corpus.on(text)]
        siblings = next(article for article in corpus.articles if text in article)
        pool = [*rng.sample(siblings, len(siblings)), *rng.sample(corpus.paragraphs, 3)]
        pool = [other for other in pool if other != text and not holds(other, [answer for _, answer in asked])]
        if rng.random() < 0.5:
            rng.shuffle(pool)
        shown = [text, *pool[:others]]
        # A question on a passage that isn't shown can't be answered, unless its answer happens to stand in one that is.
        hidden = [one for other in pool[others:] for one in corpus.on(other)]
        unanswerable = [one.text for one in hidden if not any(holds(passage, one.answers) for passage in shown)]
        unanswerable += [one.text for one in corpus.unanswerable(text)]
    rng.shuffle(asked)
    rng.shuffle(unanswerable)
    rng.shuffle(shown)
    turns: list[tuple[str, str]] = []
    for _ in range(6):
        if unanswerable and rng.random() < refused:
            turns.append((unanswerable.pop(), REFUSAL))
        elif asked:
            turns.append(asked.pop())
    told = ("\n\n".join(shown),) if background else ()  # what is recalled is in the memory too, among all the rest
    return TrainingExample(told, conversation(turns, shown), (), background)


def story(rng: random.Random, told: Story, background: float = 0.0) -> TrainingExample:
    """A bAbI story, one fact after the other with prose between, in one segment or several."""
    segments: list[list[str]] = [[]]
    around = rng.choice([0, 0, 1])
    for fact in told.facts:
        segments[-1] += [fact, *some_sentences(rng, around)]
        if rng.random() < 0.15:
            segments.append([])
    text = tuple(" ".join(segment) for segment in segments if segment)
    return TrainingExample(text, conversation([(told.question, told.answer)]), (), background)


def continued(rng: random.Random, characters: int, segments: int) -> TrainingExample:
    """A text whose beginning is in the memory, in up to `segments` pieces: does the memory help to go on?"""
    pieces = wrap(plain(rng, 2 * characters), characters)
    last = rng.randrange(1, len(pieces))
    told = pieces[max(0, last - rng.randint(1, segments)) : last]
    first, _, rest = pieces[last].partition(" ")
    return TrainingExample(tuple(told), ((first, " " + rest),), prose=tuple(range(len(told))))


def shortest(answers: Sequence[str]) -> str:
    return min(answers, key=len)


def holds(text: str, answers: Sequence[str]) -> bool:
    return any(answer.lower() in text.lower() for answer in answers)


def some_sentences(rng: random.Random, count: int) -> list[str]:
    """`count` consecutive sentences of prose, none very long."""
    found: list[str] = []
    while len(found) < count:
        source = rng.random()
        if source < 0.3:
            pieces = sentences(rng.choice(xquad(held_out=False).paragraphs))
        elif source < 0.5:
            pieces = sentences(generated_passage(rng).text)
        else:
            pieces = sentences(rng.choice(prose()))
        start = rng.randrange(len(pieces))
        found += [piece[:200] for piece in pieces[start : start + count]]
    return found[:count]


def a_passage(rng: random.Random, corpus: Corpus) -> str:
    return generated_passage(rng).text if rng.random() < 0.5 else rng.choice(corpus.paragraphs)
