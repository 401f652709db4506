"""What adapters are trained on: questions over Wikipedia articles, and prose that nobody asks about.

The questions are XQuAD's (CC BY-SA 4.0), a part of SQuAD's development set, in `data/`. Every fourth article is held
out: no training sees it, and the model card's figures come from it. The prose is what lies on any machine that can
train: the reference topics of Python's own help, and the docstrings of the libraries that training needs.
"""

import inspect
import json
import random
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infinidoc.evaluation.questions import QuestionFile

HELD_OUT_EVERY = 4
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(])")


@dataclass(frozen=True)
class Question:
    """A question, its gold answers, and the paragraph of the article that holds them."""

    text: str
    answers: tuple[str, ...]
    paragraph: str
    article: int


@dataclass(frozen=True)
class Corpus:
    """One half of the articles: those to train on, or those held out."""

    questions: tuple[Question, ...]
    articles: tuple[tuple[str, ...], ...]  # the paragraphs of each

    @property
    def paragraphs(self) -> list[str]:
        return [paragraph for article in self.articles for paragraph in article]

    def on(self, paragraph: str) -> list[Question]:
        """The questions on a paragraph."""
        return [question for question in self.questions if question.paragraph == paragraph]


@cache
def xquad(held_out: bool) -> Corpus:
    data = json.loads(squad())["data"]
    questions, articles = [], []
    for index, article in enumerate(data):
        if (index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) != held_out:
            continue
        articles.append(tuple(paragraph["context"] for paragraph in article["paragraphs"]))
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                answers = tuple(dict.fromkeys(answer["text"] for answer in asked["answers"]))
                questions.append(Question(asked["question"], answers, paragraph["context"], len(articles) - 1))
    return Corpus(tuple(questions), tuple(articles))


def squad() -> bytes:
    """All articles, as a SQuAD file."""
    return files(__package__).joinpath("data/xquad-en-dev.json").read_bytes()


def held_out_questions() -> "QuestionFile":
    """The questions on the articles that are held out, with the paragraphs of all articles to find the answers in."""
    from infinidoc.evaluation.questions import parse_questions

    corpus = xquad(held_out=True)
    asked = {(" ".join(question.text.split()), question.paragraph) for question in corpus.questions}
    file = parse_questions("xquad-en-dev.json", squad())
    kept = [one for one in file.questions if one.source and (one.text, file.documents[one.source]) in asked]
    return replace(file, questions=kept)


def sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in SENTENCE.split(text) if sentence.strip()]


@cache
def prose() -> tuple[str, ...]:
    """Texts of several paragraphs each, to stand between what is asked about. Much the same on every machine."""
    from pydoc_data import topics

    import numpy
    import torch

    texts = [" ".join(topic.split()) for topic in topics.topics.values()]
    for module in (torch, torch.nn, torch.nn.functional, torch.linalg, numpy, numpy.linalg, random, json, inspect):
        for _, member in sorted(vars(module).items()):
            texts.append(" ".join((inspect.getdoc(member) or "").split()))
    return tuple(dict.fromkeys(text for text in texts if len(text) > 300))
