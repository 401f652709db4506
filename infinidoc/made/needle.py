"""Needles in a haystack of real prose: one short fact that is not to be guessed, of six kinds. Pure Python."""

import random

from infinidoc.made.sample import Sample, asked

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)

NAMES = (
    *("Agnes", "Bastian", "Clotilde", "Dorothea", "Emil", "Fenella", "Gustav", "Henrike", "Ingmar", "Jolanda"),
    *("Karin", "Leopold", "Mirabel", "Norbert", "Ottilie", "Quentin", "Roswitha", "Sigrid", "Tobias", "Ulrike"),
)
TOWNS = ("Porto", "Bergen", "Ghent", "Riga", "Turin", "Graz", "Lyon", "Malmo", "Cork", "Basel", "Bremen", "Toledo")
COLOURS = ("red", "blue", "green", "yellow", "purple", "orange", "white", "black", "brown", "grey")
ANIMALS = ("horse", "goat", "parrot", "turtle", "rabbit", "donkey", "falcon", "ferret", "lizard", "pony")
THINGS = ("lantern", "compass", "violin", "telescope", "kettle", "ladder", "saddle", "clock", "mirror", "hammer")
MONTHS = ("January", "March", "April", "June", "July", "August", "September", "October", "November", "December")
CODES = range(1_000, 10_000)

# The fact, the question, and what the answer is drawn from.
KINDS = (
    ("The special code of {name} is {answer}.", "What is the special code of {name}?", CODES),
    ("The cousin of {name} lives in {answer}.", "In which town does the cousin of {name} live?", TOWNS),
    ("The front door of {name} is {answer}.", "What colour is the front door of {name}?", COLOURS),
    ("The favourite animal of {name} is the {answer}.", "What is the favourite animal of {name}?", ANIMALS),
    ("Last winter {name} sold the old {answer}.", "What did {name} sell last winter?", THINGS),
    ("The birthday of {name} is in {answer}.", "In which month is the birthday of {name}?", MONTHS),
)


def sample(rng: random.Random) -> Sample:
    """A fact about somebody, and a question for it. The same `rng` state gives the same one."""
    fact, question, answers = rng.choice(KINDS)
    name, answer = rng.choice(NAMES), str(rng.choice(answers))
    return Sample([fact.format(name=name, answer=answer)], asked(question.format(name=name)), answer)
