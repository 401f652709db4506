"""How alike sentences and a question are, by addresses: the passage's own, sentence by sentence."""

import torch

from infinidoc.documents.sentences import sentences
from infinidoc.model.addresses import SCALE
from infinidoc.model.base import load_base
from infinidoc.reading.alike import OF_PASSAGE, alike
from infinidoc.reading.quoting import Shown, find_quotes

TEXT = "The lighthouse keeper sleeps. The ship is late! Nobody knows."


def test_each_sentence_is_scored_by_its_own_tokens(tiny):
    base = load_base(str(tiny))
    addresses = torch.zeros(len(base.encode(TEXT)), 128, dtype=torch.int8)
    second = len(base.encode(TEXT[: sentences(TEXT)[1][0]]))
    addresses[second + 1, 0] = int(SCALE)  # one token of the second sentence is the question
    question, weights = torch.eye(128)[:1], torch.ones(1)
    passages = [("Something else.", torch.zeros(3, 128, dtype=torch.int8)), (TEXT, addresses), ("Gone.", addresses[:0])]
    assert alike(base, question, weights, passages) == [0, OF_PASSAGE, OF_PASSAGE + 1, OF_PASSAGE, 0]


def test_a_mere_yes_quotes_the_sentence_that_is_most_alike_and_other_answers_their_words():
    shown = [Shown("", TEXT)]
    alike = lambda: [0.1, 0.9, 0.2]  # noqa: E731
    assert [quote.text for quote in find_quotes("Yes", "Is it delayed?", shown, alike)] == ["The ship is late!"]
    assert [quote.text for quote in find_quotes("nobody", "Who?", shown, alike)] == ["Nobody knows."]
