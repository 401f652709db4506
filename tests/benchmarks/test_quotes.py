"""The sentence quoted for a gold answer is nearly always the gold one."""

import random

from benchmarks import quotes


def test_the_right_sentence_is_quoted():
    rng = random.Random(1)
    asked = [*quotes.from_articles(rng), *list(quotes.from_sets(quotes.OFFICE, rng, by_language=False))[::10]]
    found = [quotes.is_right(one) for one in asked if one.kind != "yesno"]  # a mere "Yes" has no words to look for
    assert sum(found) / len(found) >= 0.95


def test_another_sentence_is_not_right():
    asked = next(quotes.from_articles(random.Random(1)))
    text = asked.shown[asked.gold].text
    wrong = quotes.Asked(asked.question, asked.answer, asked.kind, asked.shown, asked.gold, len(text) - 1, len(text))
    assert quotes.is_right(asked)
    assert not quotes.is_right(wrong)
