"""Questions whose passage names its subject only as "she" or "it": the answer stands there and nowhere else."""

import json
import re
from pathlib import Path

ROWS = (Path(__file__).parents[2] / "benchmarks" / "pronouns.jsonl").read_text(encoding="utf-8").splitlines()
DOCUMENTS = {
    row["document"]["title"]: row["document"]["passages"] for row in map(json.loads, ROWS) if "passage" not in row
}
QUESTIONS = [row for row in map(json.loads, ROWS) if "passage" in row]


def stands_in(words, text):
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text) is not None


def test_the_answer_stands_in_its_passage_only_and_not_in_the_question():
    for row in QUESTIONS:
        passages = DOCUMENTS[row["document"]]
        assert [at for at, text in enumerate(passages) if stands_in(row["answer"], text)] == [row["passage"]], row
        assert not stands_in(row["answer"].lower(), row["question"].lower()), row


def test_the_question_shares_no_name_with_its_passage_that_the_first_passage_introduces():
    for row in QUESTIONS:
        passages = DOCUMENTS[row["document"]]
        named = {word for word in re.findall(r"(?<=\s)[A-Z]\w+", row["question"]) if stands_in(word, passages[0])}
        assert named, row
        assert any(not stands_in(name, passages[row["passage"]]) for name in named), row


def test_the_set_is_large_enough_and_asks_nothing_twice():
    assert len(DOCUMENTS) >= 12
    assert len({row["question"] for row in QUESTIONS}) == len(QUESTIONS) >= 100
