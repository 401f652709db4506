"""What a benchmark hides in a long text, asks, and takes for a right answer. Pure Python: training uses it too."""

import re
from dataclasses import dataclass

ARTICLES = {"a", "an", "the"}


@dataclass(frozen=True)
class Sample:
    """`facts` are hidden in a long text, in this order; `prompt` is then continued, and should go on with `answer`."""

    facts: list[str]
    prompt: str
    answer: str


def asked(question: str) -> str:
    """How a question is put to a model that has nothing but its memory."""
    return f"Question: {question}\nAnswer:"


def is_right(text: str, answer: str) -> bool:
    """Whether a generated text begins with the answer, word for word.

    Words are runs of letters and digits, compared without case; articles that the text begins with don't count. So
    "The kitchen, because …" is right for "kitchen", and "90541" is wrong for "9054". What follows doesn't matter.
    """
    wanted, words = _words(answer), _words(text)
    while words and words[0] in ARTICLES and words[0] != wanted[0]:
        words = words[1:]
    return bool(wanted) and words[: len(wanted)] == wanted


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())
