"""Made-up documents: answers stand in them, the other questions' answers don't, and no two are alike."""

import re
from collections import Counter
from random import Random

import pytest

from infinidoc.made.grammar import Kind, names
from infinidoc.made.passages import MadePassage, cloze, kinds, passage, typos


@pytest.fixture(scope="module")
def many() -> list[MadePassage]:
    rng = Random(7)
    return [passage(rng) for _ in range(2000)]


def test_answers_stand_word_for_word_and_are_short(many: list[MadePassage]) -> None:
    for made in many:
        assert len(made.asked) > 1
        for asked in made.asked:
            assert re.search(rf"(?<!\w){re.escape(asked.answer)}(?!\w)", made.text), (made.kind, asked)
            assert 0 < len(asked.answer.split()) <= 12, (made.kind, asked)
            assert asked.answer.endswith("Inc.") or asked.answer[-1] not in ".,;:?", (made.kind, asked)


def test_lengths(many: list[MadePassage]) -> None:
    lengths = [len(made.text.split()) for made in many]
    assert min(lengths) >= 40
    assert max(lengths) <= 160


def test_variety(many: list[MadePassage]) -> None:
    assert len({made.text for made in many}) == len(many)
    questions = [asked.question for made in many for asked in made.asked]
    assert len(set(questions)) > 0.99 * len(questions)
    found = Counter(made.kind for made in many)
    assert set(found) == set(kinds())
    assert len(found) >= 16
    assert min(found.values()) > 0.4 * len(many) / len(found)
    answers = Counter(asked.answer for made in many for asked in made.asked)
    assert answers.most_common(1)[0][1] < 0.02 * len(questions)


def test_passages_are_alike_for_the_same_seed() -> None:
    assert [passage(Random(3)) for _ in range(2)] == [passage(Random(3)) for _ in range(2)]
    assert passage(Random(3)) != passage(Random(4))


def test_nothing_of_the_grammar_is_left(many: list[MadePassage]) -> None:
    slot = re.compile(r"\{\^?[a-z_]+\d?( \w+)*\}|\\n|¦|\[[^\]]*\|")
    for made in many:
        for text in (made.text, *(asked.question for asked in made.asked), *made.unanswerable):
            assert not slot.search(text), (made.kind, text)


def test_unanswerable_questions_are_never_among_those_asked(many: list[MadePassage]) -> None:
    for made in many:
        asked = {re.sub(r"\W", "", asked.question).lower() for asked in made.asked}
        assert made.unanswerable
        assert not asked & {re.sub(r"\W", "", question).lower() for question in made.unanswerable}


LIGHTHOUSE = """== slots
*name: {person}
keeper: {person}
year: {whole 1800 1899}
fill: [a b c d e f g h i j k l m n o p q r s t|t s r q p o n m l k j i h g f e d c b a]
== text
{name} built a lighthouse with {keeper}. {fill} {fill}
?It was lit in {year}.
== questions
year: When did the lamp of {name} first shine?
keeper: Who helped {name}?
== never
How high is the tower of {name}?
"""


def test_what_is_left_out_becomes_unanswerable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infinidoc.made.passages.kinds", lambda: {"l": Kind.parse("l", LIGHTHOUSE)})
    rng, strangers = Random(0), 0
    for _ in range(50):
        made = passage(rng, "l")  # two questions at least: the year is always told here
        year = re.search(r"lit in (\d+)", made.text)
        name = made.text.split(" built")[0]
        assert year
        for question in made.unanswerable:
            stranger = name.lower() not in question.lower()
            assert stranger or "how high" in question.lower()
            strangers += stranger
    assert strangers > 25
    rare = Kind.parse("l", LIGHTHOUSE.replace("keeper: Who", "name: Who had one built with {keeper}?\nkeeper: Who"))
    monkeypatch.setattr("infinidoc.made.passages.kinds", lambda: {"l": rare})
    untold = [made for made in (passage(rng, "l") for _ in range(60)) if "lit in" not in made.text]
    assert untold
    for made in untold:
        assert not any("shine" in asked.question.lower() for asked in made.asked)
    assert any("shine" in question.lower() for made in untold for question in made.unanswerable)


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_every_question_of_a_kind_is_answered_in_some_passage(kind: str) -> None:
    grammar = kinds()[kind]
    declared = {name for name, _ in grammar.slots}
    for slot, line in grammar.questions:
        slot = slot if slot in declared else re.sub(r"\d$", "#", slot)
        assert slot in declared, slot
        told = {name for _, lines in grammar.texts for told in lines for name in names(told)}
        inside = {name for slot, template in grammar.slots if slot in told for name in names(template)}
        assert slot in told | inside, f"{slot} is asked for but never told"
        assert line.count("|") >= 1, f"{slot} is asked in one way only"
    assert len(grammar.never) + "|".join(grammar.never).count("|") >= 4


def test_a_slot_named_like_a_list_is_refused() -> None:
    with pytest.raises(ValueError, match="town is the name of a list"):
        Kind.parse("k", "== slots\ntown: {town}\n")


def test_typos_slip_but_keep_the_numbers() -> None:
    rng = Random(1)
    question = "When did Ingrid Halvorsen receive invoice X17-204?"
    slipped = {typos(question, rng) for _ in range(50)}
    assert len(slipped) > 25
    assert sum(text == question for text in slipped) <= 1
    for text in slipped:
        assert "X17-204" in text
        assert abs(len(text) - len(question)) <= 2
    assert typos("Who? 1904", rng) == "Who? 1904"


def test_cloze_asks_what_the_sentence_says() -> None:
    rng = Random(2)
    sentences = [
        "In 1874 the lighthouse was built by Ada Marsh on the northern cape.",
        "The bridge was opened in 1911 after six years of work.",
        "Thomas Wren was born in Norwich to a family of weavers.",
    ]
    made = [cloze(sentences, rng) for _ in range(200)]
    assert all(made)
    pairs = {(asked.question, asked.answer) for asked in made if asked}
    for question, answer in pairs:
        assert any(answer in sentence for sentence in sentences)
        assert answer not in question
    assert ("When was the bridge opened?", "1911") in pairs
    assert ("Where was Thomas Wren born?", "Norwich") in pairs
    assert not any("In 1874 the lighthouse?" in question for question, _ in pairs)
    assert not any("Thomas __" in question for question, _ in pairs)
    assert any("____" in question and answer == "Ada Marsh" for question, answer in pairs)


def test_cloze_of_nothing_to_ask() -> None:
    assert cloze([], Random(0)) is None
    assert cloze(["it rained all day long and nobody came to see us"], Random(0)) is None
