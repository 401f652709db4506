"""Metrics against cases worked by hand."""

import math

import pytest

from infinidoc.evaluation import metrics


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("The Eiffel Tower!", "eiffel tower"),
        ("  a  dog,\tan ox and\nthe cat ", "dog ox and cat"),
        ("theatre of Athens", "theatre of athens"),  # articles only as whole words
        ("U.S.A.", "usa"),  # punctuation goes before articles are looked for: no lone "a" is left
        ("well-known", "wellknown"),
        ("The", ""),
        ("$1,000.50", "100050"),
        ("«Ça va»", "«ça va»"),  # the official script strips ASCII punctuation alone
        ("£12", "£12"),
    ],
)
def test_normalisation_is_the_official_one(text, normalised):
    assert metrics.normalise(text) == normalised


def test_exact_match():
    assert metrics.exact_match("the Denver Broncos.", ["Broncos", "Denver Broncos"]) == 1.0
    assert metrics.exact_match("Denver", ["Denver Broncos"]) == 0.0
    assert metrics.exact_match("", [""]) == 1.0
    assert metrics.exact_match("", ["x"]) == 0.0


def test_f1_by_hand():
    # answer: 4 words without "the"; gold: 3 words; shared: "north", "roof": 2·2 / (4 + 3)
    assert metrics.f1("The north slope roof repair", ["roof of north"]) == pytest.approx(4 / 7)
    # repeated words count as often as both have them: 2·2 / (3 + 2)
    assert metrics.f1("ha ha ha", ["ha ha"]) == pytest.approx(4 / 5)
    assert metrics.f1("ha", ["ha ha"]) == pytest.approx(2 / 3)
    # the best gold answer counts
    assert metrics.f1("in 1874", ["around 1874 or so", "1874"]) == pytest.approx(2 / 3)
    assert metrics.f1("blue", ["red"]) == 0.0
    # as in the script of SQuAD 2.0: nothing is right where nothing is expected, and only there
    assert metrics.f1("the", ["a"]) == 1.0
    assert metrics.f1("", ["red"]) == 0.0
    assert metrics.f1("red", []) == 0.0


def test_contains_whole_words_only():
    assert metrics.contains("It was built by Ellen Marsh in 1874.", ["Ellen Marsh"]) == 1.0
    assert metrics.contains("It cost 11874 pounds.", ["1874"]) == 0.0
    assert metrics.contains("1874", ["1874", "1875"]) == 1.0
    assert metrics.contains("Marsh, Ellen", ["Ellen Marsh"]) == 0.0
    assert metrics.contains("anything", ["the"]) == 0.0  # an answer of articles alone isn't in everything


def test_source_at_counts_documents_not_passages():
    ranking = ["a", "a", "a", "b", "b", "c", "d", "e", "f"]
    assert metrics.source_at(ranking, "a", 1) == 1.0
    assert metrics.source_at(ranking, "b", 1) == 0.0
    assert metrics.source_at(ranking, "e", 5) == 1.0
    assert metrics.source_at(ranking, "f", 5) == 0.0
    assert metrics.source_at([], "a", 5) == 0.0


def test_the_interval_covers_what_theory_says():
    # 30 of 100: the normal approximation gives 0.3 ± 1.96·√(0.3·0.7/100) = 0.210 to 0.390
    values = [1.0] * 30 + [0.0] * 70
    low, high = metrics.interval(values, seed=0)
    assert low == pytest.approx(0.21, abs=0.012)
    assert high == pytest.approx(0.39, abs=0.012)
    assert metrics.interval(values, seed=0) == (low, high)
    assert metrics.interval([0.4] * 9, seed=1) == pytest.approx((0.4, 0.4))
    assert metrics.interval([1.0], seed=1) == (1.0, 1.0)
    with pytest.raises(ValueError, match="no values"):
        metrics.interval([], seed=0)


def test_the_interval_of_many_values_is_drawn_in_parts(monkeypatch):
    values = [float(number % 7) for number in range(300)]
    whole = metrics.interval(values, seed=3)
    monkeypatch.setattr(metrics, "_AT_ONCE", 1_000)
    assert metrics.interval(values, seed=3) == pytest.approx(whole, abs=1e-9)


def test_the_sign_test_by_hand():
    assert metrics.sign_test(0, 0) == 1.0
    assert metrics.sign_test(1, 0) == 1.0
    assert metrics.sign_test(5, 0) == pytest.approx(2 / 32)
    assert metrics.sign_test(8, 2) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert metrics.sign_test(2, 8) == metrics.sign_test(8, 2)
    assert metrics.sign_test(7, 7) == 1.0
    assert metrics.sign_test(6_000, 5_000) < 1e-12  # more tosses than a float has digits


def test_paired_counts_and_difference():
    pair = metrics.paired([100, 50, 0, 20, 20], [0, 50, 100, 0, 10], seed=0)
    assert (pair.wins, pair.losses, pair.ties) == (3, 1, 1)
    assert pair.difference == pytest.approx(6.0)
    assert pair.p == pytest.approx(2 * (1 + 4) / 16)
    low, high = pair.interval
    assert low < 6 < high
    assert math.isclose(metrics.paired([1, 1], [0, 0], seed=0).interval[0], 1.0)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        metrics.paired([1.0], [1.0, 2.0], seed=0)
