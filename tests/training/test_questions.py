"""What a reader is trained on: right passages answer, near ones don't, and what is held out stays out."""

import json
import lzma
import random

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.made import passages as made
from infinidoc.training import questions as module
from infinidoc.training.corpus import xquad
from infinidoc.training.questions import PASSAGE_WORDS, Questions, cut, gather, holds, reworded

LONG = " ".join(f"Sentence number {n} is about the {word} of the valley." for n, word in enumerate(["mills"] * 40))


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    rows = [
        {"doc": "a", "title": "Mills", "kind": "span", "question": "Who built the mill?", "answers": ["Ada Brook"],
         "context": LONG + " The mill was built by Ada Brook. " + LONG},
        {"doc": "b", "title": "Mill", "kind": "yesno", "question": "is the mill old", "answers": ["yes"],
         "context": "The mill is very old."},
        {"doc": "c", "title": "", "kind": "long", "question": "What of it?", "answers": ["A lot."], "context": ""},
    ]  # fmt: skip
    with lzma.open(data / "boolq.jsonl.xz", "wt", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MADE", 40)
        return gather(data, random.Random(0))


def test_short_answers_stand_in_the_passages_that_are_right(gathered):
    wrong = [
        one
        for one in gathered.asked
        if one.gold
        and one.style == "answer"
        and one.source in ("articles", "made", "boolq")
        and one.answers[0] not in ("Yes", "No")
        and not any(holds(gathered.texts[n].text, answer) for n in one.gold for answer in one.answers)
    ]
    assert not wrong
    assert len(gathered.asked) > 10_000


def test_near_passages_lack_the_answer(gathered):
    for one in gathered.asked[::7]:
        if one.gold and one.style == "answer" and one.answers[0] not in ("Yes", "No"):
            assert not set(one.near) & set(one.gold)
            for number in one.near:
                assert not any(holds(gathered.texts[number].text, answer) for answer in one.answers)


def test_near_passages_are_near(gathered):
    """Of the questions on articles, most have a passage of the same article among the near ones."""
    corpus = xquad(held_out=False)
    article = {paragraph: number for number, texts in enumerate(corpus.articles) for paragraph in texts}
    found = [
        any(article.get(gathered.texts[n].text) == article[gathered.texts[one.gold[0]].text] for n in one.near)
        for one in gathered.asked
        if one.gold and gathered.texts[one.gold[0]].text in article
    ]
    assert sum(found) / len(found) > 0.6


def test_public_questions_are_cut_to_passages(gathered):
    mill, old = (one for one in gathered.asked if one.source == "boolq")  # the third has nothing to be shown
    assert (mill.answers, old.answers) == (("Ada Brook",), ("Yes",))
    (number,) = mill.gold
    assert "Ada Brook" in gathered.texts[number].text
    assert len(gathered.texts[number].text.split()) <= module.PASSAGE_WORDS
    assert gathered.texts[number].title == "Mills"


def test_held_out_questions_and_paragraphs_are_not_among_them(gathered):
    held = xquad(held_out=True)
    assert not {one.text for one in held.questions} & {one.question for one in gathered.asked}
    assert not set(held.paragraphs) & {text.text for text in gathered.texts}


def test_what_is_saved_is_what_is_loaded(gathered, tmp_path):
    gathered.save(tmp_path / "questions.json.xz")
    loaded = Questions.load(tmp_path / "questions.json.xz")
    assert (loaded.texts, loaded.asked) == (gathered.texts, gathered.asked)


def test_a_cut_loses_no_word():
    text = "One line.\nAnother line. " + LONG
    pieces = cut(text)
    assert " ".join(pieces).split() == text.split()
    assert all(len(piece.split()) <= module.PASSAGE_WORDS for piece in pieces)


def test_questions_are_put_in_other_words_that_ask_the_same():
    forms = {reworded("who built the mill", random.Random(seed)) for seed in range(40)}
    assert {"who built the mill", "Who built the mill?"} < forms
    assert all(abs(len(form) - len("who built the mill?")) <= 3 for form in forms)
    assert made.typos is module.typos


def test_lines_stay_lines_in_a_passage():
    text = "Opening hours. They may change.\nMonday: closed\nTuesday: 9 to 5"
    assert cut(text) == [text]
    long = "\n".join(f"Line {number} has seven words in it." for number in range(40))
    pieces = cut(long)
    assert len(pieces) > 1
    assert "\n".join(pieces) == long
    assert all(len(piece.split()) <= PASSAGE_WORDS for piece in pieces)


@pytest.mark.parametrize(
    "content", [b"no xz", lzma.compress(b"no json"), lzma.compress(b'{"title": "x"}'), lzma.compress(b"[1]")]
)
def test_data_in_another_form_is_named(tmp_path, monkeypatch, content):
    (tmp_path / "qed.jsonl.xz").write_bytes(content)
    monkeypatch.setattr(module, "MADE", 2)
    with pytest.raises(InfinidocError, match=r"qed\.jsonl\.xz holds no questions"):
        gather(tmp_path, random.Random(0))
