"""Which of a trained reader's answers is given."""

from typing import ClassVar

import pytest
import torch

from infinidoc.model.attention import attach
from infinidoc.model.base import load_base
from infinidoc.model.prompts import ANSWER, EXPLANATION, REFUSAL, reading_prompt
from infinidoc.reading import answering, weighing
from infinidoc.reading.readers.local import LocalReader
from infinidoc.reading.readers.reader import Piece
from infinidoc.reading.weighing import Reading, weighed

QUESTION = "Which ship carries grain?"
PASSAGES = [("log.txt", "The ship Amalia carries grain and wine."), ("book.txt", "The Zenobia carries salt.")]


@pytest.fixture(scope="module")
def base(tiny):
    base = load_base(str(tiny), dtype=torch.float32)
    attach(base.model)
    return base


@torch.no_grad()
def by_hand(base, passages, answer):
    """log p of an answer's tokens and its end, from one pass over all of it."""
    ids = reading_prompt(base, QUESTION, passages)
    whole = [*ids, *answer, base.marks[1]]
    scores = base.model(torch.tensor([whole])).logits[0].log_softmax(-1)
    return sum(scores[place - 1, whole[place]].item() for place in range(len(ids), len(whole)))


def test_answers_of_any_length_get_the_likelihood_that_the_model_gives_them(base):
    answers = [base.encode("Amalia"), base.encode("the number of every passing ship"), base.encode("salt and wine")]
    reading = Reading(base, QUESTION, PASSAGES)
    for _ in range(2):  # what was scored before leaves nothing behind
        found = reading.likelihood(answers)
        assert found.tolist() == pytest.approx([by_hand(base, PASSAGES, ids) for ids in answers], abs=1e-3)


@torch.no_grad()
def test_an_answer_is_what_is_likeliest_token_by_token(base):
    reading = Reading(base, QUESTION, PASSAGES)
    reading.likelihood([base.encode("Amalia")])
    text, ids = reading.answer(6)
    so_far = reading_prompt(base, QUESTION, PASSAGES)
    for token in ids:
        assert token == int(base.model(torch.tensor([so_far])).logits[0, -1].argmax())
        so_far.append(token)
    assert len(ids) == 6 or base.marks[1] == int(base.model(torch.tensor([so_far])).logits[0, -1].argmax())
    assert text == " ".join(base.decode(ids).split())
    assert reading.likelihood([ids]).item() == pytest.approx(by_hand(base, PASSAGES, ids), abs=1e-3)


def test_what_it_has_said_to_its_end_is_not_read_again_to_be_weighed(base, monkeypatch):
    passes = []
    hook = base.model.get_decoder().register_forward_hook(lambda *_: passes.append(1))
    reading = Reading(base, QUESTION, PASSAGES)
    _, cut = reading.answer(3)
    assert len(cut) == 3  # its end was not said, so it is not known
    passes.clear()
    assert reading.likelihood([cut]).item() == pytest.approx(by_hand(base, PASSAGES, cut), abs=1e-3)
    assert passes.pop()
    monkeypatch.setitem(vars(base), "marks", (base.marks[0], cut[2]))  # which ends it there
    monkeypatch.setattr(weighing, "reading_prompt", lambda *_: reading.ids)
    ended = Reading(base, QUESTION, PASSAGES)
    _, ids = ended.answer(6)
    assert ids == cut[:2]
    passes.clear()
    found = ended.likelihood([ids])
    assert not passes
    torch.testing.assert_close(found, Reading(base, QUESTION, PASSAGES).likelihood([ids]), atol=1e-3, rtol=0)
    both = ended.likelihood([ids, cut[1:]])
    torch.testing.assert_close(both[:1], found, atol=1e-3, rtol=0)
    hook.remove()


def test_what_two_readings_begin_with_is_read_once(base):
    lengths = []
    hook = base.model.get_decoder().embed_tokens.register_forward_hook(lambda _, ids, out: lengths.append(out.shape[1]))
    together = Reading(base, QUESTION, PASSAGES)
    before = together.memory.get_seq_length()
    found, anew = Reading(base, QUESTION, PASSAGES[:1], together), Reading(base, QUESTION, PASSAGES[:1])
    hook.remove()
    assert lengths[1] < lengths[2] / 2
    torch.testing.assert_close(found.first, anew.first)
    assert found.answer(6) == anew.answer(6)
    answers = [base.encode("Amalia"), base.encode("salt and wine")]
    torch.testing.assert_close(found.likelihood(answers), anew.likelihood(answers))
    assert together.memory.get_seq_length() == before
    assert together.likelihood(answers[:1]).item() == pytest.approx(by_hand(base, PASSAGES, answers[0]), abs=1e-3)


def test_a_refusal_is_as_likely_as_all_of_its_words(base):
    reading = Reading(base, QUESTION, PASSAGES)
    refusal = base.encode(REFUSAL)
    likely = torch.tensor(by_hand(base, PASSAGES, refusal)).exp().item()
    assert reading.refuses(likely * 0.9)
    assert not reading.refuses(likely * 1.1)
    assert reading.first[refusal[0]].exp() > likely * 1.1  # its first word alone would have been enough


class Scripted:
    """A reading that says what the test wants: `said` by passage ("both" for all together, "few" for a few sentences of
    them), as answer → likelihood."""

    said: ClassVar[dict[str, dict[str, float]]] = {}
    read: ClassVar[list[str]] = []

    def __init__(self, base, question, passages, begun=None):
        (name, text), *others = passages
        whole = text in dict(PASSAGES).values()
        self.name = ("both" if others else name.removesuffix(".txt")) if whole else "few"
        self.read.append(self.name)
        self.answers = self.said[self.name]

    def refuses(self, threshold):
        return self.answers.get(REFUSAL, 0) > threshold

    def answer(self, max_tokens):
        best = max(self.answers, key=lambda text: self.answers[text])
        return best, [best]

    def likelihood(self, answers):
        return torch.tensor([self.answers.get(text, 1e-6) for (text,) in answers]).log()


@pytest.fixture
def say(monkeypatch):
    def say(passages=PASSAGES, **said):
        refusing = {name: {REFUSAL: 0.9} for name in ("both", "few", "log", "book")}
        monkeypatch.setattr(Scripted, "said", refusing | said)
        monkeypatch.setattr(Scripted, "read", [])
        monkeypatch.setattr(weighing, "Reading", Scripted)
        monkeypatch.setattr(weighing, "gist", lambda *_: [("log.txt", "carries grain")])
        return weighed(None, QUESTION, passages, 8)

    return say


def test_what_is_sure_and_stands_in_a_passage_is_given_at_once(say):
    assert say(both={"salt": 0.51}, few={"Amalia": 0.9}, log={"Amalia": 0.9}) == "salt"
    assert Scripted.read == ["both"]
    assert say(both={"salt": 0.49}, few={"Amalia": 0.9}) == "Amalia"
    assert say(both={"Aurelia": 0.9}, few={"salt": 0.1}) == "salt"


def test_a_question_is_refused_where_both_readings_of_all_passages_refuse(say):
    unsure = {REFUSAL: 0.26, "Amalia": 0.4}
    assert say(both=unsure) == REFUSAL
    assert say(both=unsure, few=unsure, log={"Amalia": 0.9}) == REFUSAL
    assert Scripted.read == ["both", "few"]
    assert say(both=unsure, few={REFUSAL: 0.24, "Amalia": 0.4}) == "Amalia"
    assert say(both={REFUSAL: 0.24, "Amalia": 0.4}) == "Amalia"
    assert say(both={REFUSAL: 0.24}, few={REFUSAL: 0.24}) == REFUSAL  # neither says anything else


def test_a_passage_that_was_found_alone_is_refused_where_nothing_is_likelier(say):
    alone = PASSAGES[:1]
    assert say(alone, log={REFUSAL: 0.3, "grain": 0.4}, few={REFUSAL: 0.3, "grain": 0.2}) == "grain"
    assert say(alone, log={REFUSAL: 0.3, "grain": 0.2}, few={REFUSAL: 0.3, "grain": 0.4}) == "grain"
    assert say(alone, log={REFUSAL: 0.3, "grain": 0.2}, few={REFUSAL: 0.3, "grain": 0.2}) == REFUSAL
    assert Scripted.read == ["log", "few"]


def test_an_answer_in_doubt_is_looked_for_where_it_stands(say):
    say(both={"salt": 0.4}, few={REFUSAL: 0.9})
    assert Scripted.read == ["both", "few", "book"]
    say(both={"salt": 0.4}, few={"Amalia": 0.4})
    assert Scripted.read == ["both", "few", "log", "book"]
    say(both={"Aurelia": 0.4}, few={REFUSAL: 0.1, "Aurelia": 0.2})
    assert Scripted.read == ["both", "few"]


def test_the_answer_that_all_readings_find_likeliest_is_given(say):
    assert say(both={"salt": 0.5, "Amalia": 0.3}, few={"Amalia": 0.9, "salt": 0.01}) == "Amalia"
    assert say(both={"salt": 0.5, "Amalia": 0.3}, few={"Amalia": 0.4}, book={"salt": 0.4}) == "salt"
    assert say(both={"salt": 0.5}) == "salt"
    assert say(both={"wine": 0.5}, few={"wine": 0.1, "salt": 0.2}, log={"grain": 0.9}) == "grain"


def test_an_answer_that_stands_in_no_passage_gives_way_to_one_that_does(say):
    assert say(both={"Aurelia": 0.8, "Amalia": 0.1}, few={"Amalia": 0.2}) == "Amalia"
    assert say(both={"Aurelia": 0.8}) == "Aurelia"
    assert say(both={"Yes": 0.4, "wine": 0.1}, few={"wine": 0.3}) == "Yes"  # it needs no words of theirs


def test_one_passage_of_a_few_sentences_is_read_once(base, monkeypatch):
    read = []
    monkeypatch.setattr(weighing, "reading_prompt", lambda *args: read.append(args) or reading_prompt(*args))
    weighed(base, QUESTION, PASSAGES[:1], 4)
    assert len(read) == 1
    weighed(base, QUESTION, [("log.txt", " ".join([PASSAGES[0][1], "It sails.", "It is old.", "It leaks."]))], 4)
    assert len(read) == 3


def test_a_reader_weighs_short_answers_and_no_others(base, monkeypatch):
    monkeypatch.setattr("infinidoc.reading.readers.local.weighed", lambda *_: "weighed")
    monkeypatch.setattr(answering, "generate", lambda base, ids, state, max_tokens, on_text: "continued")
    pieces, heard = [Piece("log.txt", "", "The Amalia carries grain.")], []
    assert LocalReader(base).read(QUESTION, pieces, 4, heard.append) == "continued"  # nobody trained it to refuse
    monkeypatch.setattr(base.model.config, "infini_reads", True, raising=False)
    assert LocalReader(base).read(QUESTION, pieces, 4, heard.append, EXPLANATION) == "continued"
    assert LocalReader(base).read(QUESTION, pieces, 4, heard.append, ANSWER) == "weighed"
    assert heard == ["weighed"]
