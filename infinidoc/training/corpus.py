"""What adapters are trained on: questions over articles, and prose that nobody asks about.

The questions are XQuAD's (CC BY-SA 4.0), a part of SQuAD's development set, and such as were written for this purpose;
`data/README.md` says more. Every fourth of XQuAD's articles is held out: no training sees it, and the model card's
figures come from it. The prose is what lies on any machine that can train: the reference topics of Python's own help,
and the docstrings of the libraries that training needs.
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
class ParagraphQuestion:
    """A question, its gold answers (none if its article doesn't hold any), and the paragraph that it is about."""

    text: str
    answers: tuple[str, ...]
    paragraph: str
    article: int


@dataclass(frozen=True)
class Corpus:
    """Articles to train on, or articles that are held out."""

    questions: tuple[ParagraphQuestion, ...]
    articles: tuple[tuple[str, ...], ...]  # the paragraphs of each

    @property
    def paragraphs(self) -> list[str]:
        return [paragraph for article in self.articles for paragraph in article]

    def on(self, paragraph: str) -> list[ParagraphQuestion]:
        """The questions that a paragraph answers."""
        return [question for question in self.questions if question.answers and question.paragraph == paragraph]

    def unanswerable(self, paragraph: str) -> list[ParagraphQuestion]:
        """Questions that a paragraph seems to answer, but neither it nor its article does."""
        return [question for question in self.questions if not question.answers and question.paragraph == paragraph]


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
                questions.append(ParagraphQuestion(asked["question"], answers, paragraph["context"], len(articles) - 1))
    return Corpus(tuple(questions), tuple(articles))


@cache
def written() -> Corpus:
    """The articles written for training."""
    questions, articles = [], []
    for number, line in enumerate(files(__package__).joinpath("data/written.jsonl").read_text("utf-8").splitlines()):
        paragraphs = json.loads(line)["paragraphs"]
        articles.append(tuple(paragraph["text"] for paragraph in paragraphs))
        for paragraph in paragraphs:
            text = paragraph["text"]
            asked = [*paragraph["asked"], *paragraph["paraphrased"]]
            questions += [ParagraphQuestion(question, (answer,), text, number) for question, answer in asked]
            questions += [ParagraphQuestion(question, (), text, number) for question in paragraph["unanswerable"]]
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


def plain(rng: random.Random, characters: int) -> str:
    """A text to go on with, longer than so many characters: an article, or prose."""
    if rng.random() < 0.5:
        texts = list(prose())
    else:
        texts = [" ".join(article) for article in rng.choice([written(), xquad(held_out=False)]).articles]
    return rng.choice([text for text in texts if len(text) > characters])
