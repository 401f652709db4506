"""A conversation about a collection: what is asked of it, and what is remembered."""

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.reading import answering
from infinidoc.reading.conversation import REMEMBERED, Conversation


@pytest.fixture
def conversation(collection, monkeypatch):
    monkeypatch.setattr(answering, "generate", lambda *_: "tea")
    return Conversation(collection)


def asked(conversation):
    return [entry.answer.question for entry in conversation.collection.log()][::-1]


def test_what_leans_is_asked_with_what_it_leans_on_and_nothing_else_is(conversation):
    answers = [
        conversation.ask(question).question
        for question in (
            "What does the Amalia carry?",
            " And how many tons? ",
            "What does the Gudrun carry on Sundays?",
        )
    ]
    assert answers == asked(conversation)
    assert answers[0] == "What does the Amalia carry?"
    assert answers[1].startswith("And how many tons? (Amalia")
    assert answers[2] == "What does the Gudrun carry on Sundays?"
    assert [turn.question for turn in conversation.turns][1] == "And how many tons?"


def test_it_remembers_the_passage_that_was_quoted(conversation, monkeypatch):
    last = conversation.collection.search("Who carries tea?", 8)[-1].text
    monkeypatch.setattr(answering, "generate", lambda *_: last)
    conversation.ask("Who carries tea?", top=8)
    assert conversation.turns[0].passage == conversation.turns[0].answer == last


def test_a_question_that_fails_is_forgotten_and_old_ones_are(conversation):
    with pytest.raises(InfinidocError):
        conversation.ask(" ")
    assert conversation.turns == []
    for number in range(REMEMBERED + 1):
        conversation.ask(f"What does ship {number} carry?", max_tokens=1)
    assert conversation.turns[0].question == "What does ship 1 carry?"
    assert len(conversation.turns) == REMEMBERED


def test_a_refusal_is_no_answer_to_lean_on(conversation, monkeypatch):
    monkeypatch.setattr(answering, "generate", lambda *_: "not in these documents")
    conversation.ask("What does the Amalia carry?")
    assert conversation.turns[0].answer == ""
