"""Conversations whose later questions lean on earlier ones or don't: gold answers hold, the benchmark is held apart."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAINING = ROOT / "infinidoc" / "training" / "data" / "followups.jsonl"
BENCHMARK = ROOT / "benchmarks" / "followups.jsonl"
both = pytest.mark.parametrize("path", [TRAINING, BENCHMARK], ids=["training", "benchmark"])


def read(path):
    """Pools of documents by name, and the conversations over them."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    pools = {row["pool"]: row["documents"] for row in rows if "documents" in row}
    return pools, [row for row in rows if "turns" in row]


def stands_in(words, text):
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text) is not None


@both
def test_answers_stand_in_the_quoted_sentence_and_in_no_question(path):
    pools, conversations = read(path)
    for conversation in conversations:
        for turn in conversation["turns"]:
            assert turn["quote"], turn
            assert turn["quote"] in pools[conversation["pool"]][turn["document"]]["text"], turn
            if turn["answer"] not in ("Yes", "No"):
                assert stands_in(turn["answer"], turn["quote"]), turn
                assert not stands_in(turn["answer"].lower(), f"{turn['question']} {turn['alone']}".lower()), turn


@both
def test_what_leans_is_rewritten_and_what_stands_alone_is_not(path):
    _, conversations = read(path)
    for conversation in conversations:
        assert 2 <= len(conversation["turns"]) <= 4
        assert not conversation["turns"][0]["leans"]
        for turn in conversation["turns"]:
            assert turn["leans"] == (turn["alone"] != turn["question"]), turn


@both
def test_later_turns_are_of_both_sorts_and_pools_hold_more_than_the_answer(path):
    pools, conversations = read(path)
    later = [turn["leans"] for conversation in conversations for turn in conversation["turns"][1:]]
    assert 0.5 < sum(later) / len(later) < 0.7
    assert all(4 <= len(documents) <= 8 for documents in pools.values())


def test_training_and_benchmark_share_no_document_and_no_standing_question():
    (trained, training), (held_apart, benchmark) = read(TRAINING), read(BENCHMARK)
    assert len(training) >= 120
    assert len(benchmark) >= 60
    assert not trained.keys() & held_apart.keys()
    assert not texts(trained) & texts(held_apart)
    assert not alone(training) & alone(benchmark)
    ids = [row["id"] for row in [*training, *benchmark]]
    assert len(set(ids)) == len(ids)


def texts(pools):
    return {document["text"] for documents in pools.values() for document in documents}


def alone(conversations):
    return {turn["alone"].lower() for conversation in conversations for turn in conversation["turns"]}
