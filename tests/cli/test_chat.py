"""A session of questions, piped in as a script would."""

import re

import pytest

from infinidoc.reading.collection import Collection


@pytest.fixture
def loads(monkeypatch):
    """How often the model is loaded."""
    from infinidoc.model import loading

    calls, load = [], loading.load_base
    monkeypatch.setattr(loading, "load_base", lambda *args, **options: (calls.append(args), load(*args, **options))[1])
    return calls


def test_questions_one_by_one_up_to_quit_with_one_model(filled, loads):
    lines = "Which ship carries salt?\n\n  Which ship carries tea?\n/quit\nWhich ship carries wine?\n"
    code, out, err = filled("chat", "--max-tokens", "2", "--top", "3", stdin=lines)
    assert (code, err) == (0, "")
    asked = [entry.answer.question for entry in Collection.open().log()]
    assert asked == ["Which ship carries tea?", "Which ship carries salt?"]
    assert len(loads) == 1
    assert 2 <= len(re.findall(r"docs/log-0\S+ line \d+  [\d.-]+\n", out)) <= 4  # the best two sources, a line each
    assert "wine" not in out


def test_a_question_that_leans_is_asked_with_what_it_leans_on(filled):
    lines = "What does the Amalia carry?\nAnd how many tons?\n"
    code, _, err = filled("chat", "--max-tokens", "2", stdin=lines)
    first, second = [entry.answer.question for entry in Collection.open().log()][::-1]
    assert (code, first) == (0, "What does the Amalia carry?")
    assert second.startswith("And how many tons? (Amalia")
    assert err == f"asked as: {second}\n"


def test_it_ends_with_the_input_and_goes_on_after_a_question_that_is_too_long(filled):
    code, _, err = filled("chat", "--max-tokens", "2", stdin="salt? " * 5000 + "\nWhich ship carries salt?")
    assert code == 0
    assert "too long" in err
    assert [entry.answer.question for entry in Collection.open().log()] == ["Which ship carries salt?"]


def test_there_must_be_something_to_ask(run):
    code, out, err = run("chat", stdin="What?\n")
    assert (code, out) == (1, "")
    assert "has no collection" in err
