"""Documents in four languages: answers stand where they are said to, training and benchmark share nothing."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAINING = ROOT / "infinidoc" / "training" / "data" / "languages.jsonl"
BENCHMARK = ROOT / "benchmarks" / "languages.jsonl"
YES_OR_NO = {"de": {"Ja", "Nein"}, "fr": {"Oui", "Non"}, "es": {"Sí", "No"}, "it": {"Sì", "No"}, "en": {"Yes", "No"}}
KINDS = {"date", "amount", "name", "list", "yesno", "table", "mail", "number", "what", "where", "reason"}


def sets(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def stands_in(words, text):
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text) is not None


@pytest.mark.parametrize("path", [TRAINING, BENCHMARK], ids=["training", "benchmark"])
def test_answers_stand_word_for_word_in_a_quoted_sentence_of_their_document(path):
    for row in sets(path):
        for asked in row["asked"]:
            assert asked["quote"], asked
            assert asked["quote"] in row["documents"][asked["document"]]["text"], asked
            assert asked["language"] in (row["language"], "en")
            assert asked["kind"] in KINDS
            if asked["kind"] == "yesno":
                assert asked["answer"] in YES_OR_NO[asked["language"]], asked
            elif not asked.get("translated"):
                assert stands_in(asked["answer"], asked["quote"]), asked


@pytest.mark.parametrize("path", [TRAINING, BENCHMARK], ids=["training", "benchmark"])
def test_no_question_holds_its_own_answer(path):
    for row in sets(path):
        for asked in row["asked"]:
            told = stands_in(asked["answer"].lower(), asked["question"].lower())
            assert asked["kind"] == "yesno" or not told, asked


def test_only_english_answers_are_translated_and_then_are_not_the_documents_words():
    for row in [*sets(TRAINING), *sets(BENCHMARK)]:
        for asked in row["asked"]:
            if asked.get("translated"):
                assert asked["language"] == "en"
                assert not stands_in(asked["answer"], row["documents"][asked["document"]]["text"]), asked


@pytest.mark.parametrize(("path", "at_least"), [(TRAINING, 30), (BENCHMARK, 10)], ids=["training", "benchmark"])
def test_every_language_has_its_share(path, at_least):
    rows = sets(path)
    for language in ("de", "fr", "es", "it"):
        ours = [row for row in rows if row["language"] == language]
        assert len(ours) >= at_least
        for row in ours:
            assert 1 <= len(row["documents"]) <= 3
            assert len(row["unanswerable"]) >= 3
            assert sum(asked["language"] == language for asked in row["asked"]) >= 8
            assert sum(asked["language"] == "en" for asked in row["asked"]) >= 4


def test_ids_and_the_questions_of_a_set_are_unique():
    rows = [*sets(TRAINING), *sets(BENCHMARK)]
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        questions = [asked["question"].lower() for asked in row["asked"] + row["unanswerable"]]
        assert len(set(questions)) == len(questions), row["id"]


def test_training_and_benchmark_share_no_line_no_question_and_no_name():
    training, benchmark = sets(TRAINING), sets(BENCHMARK)
    assert not lines(training) & lines(benchmark)
    assert not questions(training) & questions(benchmark)
    assert not names(training) & names(benchmark)


def lines(rows):
    """Lines of documents, but for the heads of tables ("Code | Bedeutung | Abhilfe")."""
    texts = [line for row in rows for document in row["documents"] for line in document["text"].split("\n")]
    return {line for line in texts if len(line.split()) > 7}


def questions(rows):
    return {asked["question"].lower() for row in rows for asked in row["asked"] + row["unanswerable"]}


def names(rows):
    return {asked["answer"] for row in rows for asked in row["asked"] if asked["kind"] == "name"}
