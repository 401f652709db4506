"""The many-shot benchmark, on a task that the tiny model can do."""

import itertools
import random

import pytest
import torch

from infinidoc.evaluation.intents import Dataset, Texts
from infinidoc.evaluation.manyshot import draw, measure, vote

THINGS = {
    "ship": "the ship {} carries {} and {}",
    "bridge": "a bridge of {} and {} over the {}",
    "book": "one long green book on {}, {} or {}",
}
WORDS = ["grain", "wine", "oil", "stone", "steel", "wood", "iron", "rope", "salt", "tea"]


def texts(each, seed, outside=()):
    rng = random.Random(seed)
    triples = rng.sample(list(itertools.permutations(WORDS, 3)), each)
    pairs = [(form.format(*triple), label) for label, form in THINGS.items() for triple in triples]
    pairs += [(text, "none") for text in outside]
    return Texts([text for text, _ in pairs], [label for _, label in pairs])


@pytest.fixture(scope="module")
def result(tiny, tmp_path_factory):
    strangers = ["def main():\n    return    12   5\n", "12 12 12 12", "Ein Käse, zwei Brücken, déjà vu"]
    task = Dataset("Things", texts(40, 0), texts(15, 1, strangers), "none")
    return measure([task], [1, 10, 30], model=str(tiny))


@pytest.fixture(scope="module")
def task(result):
    return result["tasks"][0]


def test_all_systems_are_measured_on_the_same_texts(task):
    assert (task["examples"], task["labels"], task["texts"]) == (120, 3, 45)
    assert [row["system"].split(":")[0] for row in task["rows"]] == [
        "compressive memory alone",
        "recall alone",
        "memory and recall (predict)",
    ]
    assert all(row["accuracy"] > 0.9 for row in task["rows"])
    assert task["rows"][2]["texts_per_second"] > 0


def test_the_curve_starts_at_one_example_and_ends_with_all(task):
    assert [point["examples"] for point in task["curve"]] == [1, 10, 30, 120]
    assert task["curve"][0]["both"] == pytest.approx(1 / 3)
    assert task["curve"][-1]["both"] == task["rows"][2]["accuracy"]


def test_texts_outside_are_told_apart_and_not_learnt(task):
    scope = task["scope"]
    assert scope["texts_outside"] == 3
    assert scope["recall_outside"] == 1
    assert scope["kept_inside"] > 0.8
    assert scope["precision"] > 0.9


def test_the_picture_is_a_png(result, tmp_path):
    pytest.importorskip("matplotlib")
    assert draw(tmp_path / "out", result).read_bytes().startswith(b"\x89PNG")


def test_votes():
    similarities = torch.tensor([[0.9, 0.8, 0.1, -1.0]])
    assert vote(similarities, torch.tensor([1, 0, 0, 2]), 3).tolist() == [pytest.approx([0.9, 0.9, 0])]
