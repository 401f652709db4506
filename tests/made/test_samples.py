"""What is hidden and asked, what counts as right, and lengths as people write them."""

import random
import re

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.evaluation.longcontext.lengths import parse_lengths, short
from infinidoc.made import needle, passkey
from infinidoc.made.sample import is_right


@pytest.mark.parametrize(
    ("text", "answer", "right"),
    [
        (" 90541. Remember it.", "90541", True),
        ("90541", "90541", True),
        ("905412", "90541", False),
        ("9054 1", "90541", False),
        ("The pass key is 90541", "90541", False),
        (" kitchen", "kitchen", True),
        ("The Kitchen, because Mary went there.", "kitchen", True),
        ("kitchens", "kitchen", False),
        ("in the kitchen", "kitchen", False),
        ("\nred\n", "red", True),
        ("", "red", False),
        ("The", "The Hague", False),
        ("The Hague.", "The Hague", True),
    ],
)
def test_right_is_what_begins_with_the_answer_word_for_word(text, answer, right):
    assert is_right(text, answer) is right


def test_a_pass_key_is_five_digits_said_twice():
    samples = [passkey.sample(random.Random(seed)) for seed in range(50)]
    for sample in samples:
        assert re.fullmatch(r"[1-9]\d{4}", sample.answer)
        assert sample.facts == [f"The pass key is {sample.answer}. Remember it. {sample.answer} is the pass key."]
        assert sample.prompt == "What is the pass key? The pass key is"
    assert len({sample.answer for sample in samples}) > 45
    assert passkey.sample(random.Random(7)) == samples[7]


def test_needles_are_of_several_kinds_and_answered_by_their_fact():
    samples = [needle.sample(random.Random(seed)) for seed in range(200)]
    for sample in samples:
        (fact,) = sample.facts
        assert is_right(fact.rsplit(" ", 1)[1], sample.answer)
        assert not re.search(rf"\b{sample.answer}\b", sample.prompt)
        assert len({name for name in needle.NAMES if name in fact and name in sample.prompt}) == 1
        assert sample.prompt.startswith("Question: ")
        assert sample.prompt.endswith("?\nAnswer:")
    assert len({re.sub(r"[A-Z]\w+|\d+", "", sample.prompt) for sample in samples}) >= 3
    assert len({sample.prompt.split()[1] for sample in samples}) >= 2


def test_lengths():
    assert parse_lengths("4k, 1M,4096,1.5k") == [1536, 4096, 1048576]
    assert [short(length) for length in (512, 4096, 131072, 1048576, 10485760, 1000, 5000000, 4097)] == [
        "512",
        "4K",
        "128K",
        "1M",
        "10M",
        "1K",
        "5M",
        "4,097",
    ]


@pytest.mark.parametrize("wrong", ["", "many", "4g", "-4k", "100", "4k;8k"])
def test_what_is_no_length_is_named(wrong):
    with pytest.raises(InfinidocError, match="length"):
        parse_lengths(wrong)
