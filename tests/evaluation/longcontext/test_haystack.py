"""Haystacks: cut evenly, and changed only where something is hidden."""

import pytest

from infinidoc.evaluation.longcontext.haystack import Haystack, filler, places, plant, sentence_ends
from infinidoc.made.passkey import FILLER
from infinidoc.model.base import load_base


@pytest.fixture(scope="module")
def encode(tiny):
    return load_base(str(tiny)).encode


def spell(token):
    """A toy vocabulary: every tenth token is a full stop, the others are words."""
    return "." if token % 10 == 0 else " word"


def numbers(start, stop):
    return list(range(start, stop))


def test_segments_are_even_and_make_up_the_whole():
    for length in (256, 511, 512, 4096, 4099):
        haystack = Haystack(numbers, length, 511)
        segments = [haystack.segment(index) for index in range(len(haystack))]
        assert [token for segment in segments for token in segment] == list(range(length))
        sizes = {len(segment) for segment in segments}
        assert max(sizes) <= 511
        assert max(sizes) - min(sizes) <= 1


def test_the_filler_is_the_paper_s_over_and_over(encode):
    tokens = filler(encode)
    unit = encode(" " + FILLER)
    assert tokens(0, 3 * len(unit)) == encode(" " + " ".join([FILLER] * 3))
    assert tokens(10**7 + 3, 10**7 + 200) == tokens(0, 10**7 + 200)[10**7 + 3 :]


def test_something_is_hidden_between_two_sentences_and_the_length_stays():
    haystack = Haystack(numbers, 1000, 100)
    planted = plant(haystack, [[-1, -2, -3]], [0.5], spell)
    assert list(planted) == [5]
    assert planted[5] == [-1, -2, -3, *range(500, 597)]
    planted = plant(haystack, [[-1, -2, -3]], [0.57], spell)
    assert planted[5] == [*range(500, 561), -1, -2, -3, *range(561, 597)]


def test_the_start_and_the_end_of_a_haystack_are_its_first_and_last_sentence():
    haystack = Haystack(lambda start, stop: list(range(start + 5, stop + 5)), 1000, 100)
    assert plant(haystack, [[-1]], [0.0], spell) == {0: [-1, *range(5, 104)]}
    last = plant(haystack, [[-1]], [1.0], spell)
    assert last == {9: [*range(905, 1001), -1, *range(1001, 1004)]}


def test_several_facts_keep_their_order_wherever_they_fall():
    haystack = Haystack(numbers, 1000, 100)
    facts = [[-10, -11], [-20, -21], [-30, -31], [-40, -41]]
    planted = plant(haystack, facts, [0.31, 0.312, 0.38, 0.99], spell)
    assert list(planted) == [3, 9]
    assert all(len(segment) == 100 for segment in planted.values())
    hidden = [token for segment in planted.values() for token in segment if token < 0]
    assert hidden == [token for fact in facts for token in fact]
    assert planted[3][:4] == [300, -10, -11, 301]


def test_a_segment_that_is_too_full_is_named():
    with pytest.raises(ValueError, match="no room"):
        plant(Haystack(numbers, 256, 511), [[-1] * 200, [-2] * 200], [0.1, 0.2], spell)


def test_depths_fall_into_segments():
    haystack = Haystack(numbers, 1000, 100)
    assert places(haystack, [0, 0.25, 1]) == [(0, 0.0), (2, 0.5), (9, 1.0)]


def test_a_sentence_ends_at_a_stop_before_a_space_or_at_a_line():
    pieces = [" One", ".", " Two", '."', " 3", ".", "14", " three", "!", "\n", "Four", "."]
    assert sentence_ends(range(len(pieces)), pieces.__getitem__) == [0, 2, 4, 9, 10, 12]
