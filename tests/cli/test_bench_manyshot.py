"""`infinidoc bench manyshot`, as people and scripts use it."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.test_learn import ROWS, examples, run  # noqa: F401 (fixtures)

COLUMNS = ("--input", "text", "--output", "kind")


@pytest.fixture
def texts(examples):  # noqa: F811
    rows = [*((text.replace("Berta", "Clara"), label) for text, label in ROWS), ("def main():", "other")]
    Path("test.csv").write_text("text,kind\n" + "".join(f"{text},{label}\n" for text, label in rows))
    return examples, "test.csv"


def test_prints_tables_and_writes_json_and_png(run, texts):  # noqa: F811
    pytest.importorskip("matplotlib")
    code, out, err = run("bench", "manyshot", *texts, *COLUMNS, "--outside", "other", "--sizes", "1,5", "--out", "here")
    assert code == 0
    assert "10 examples, 2 labels, 10 texts" in out
    assert re.search(r"memory and recall \(predict\) +100\.0 %", out)
    assert "of 1 texts outside of the task" in out
    assert "arXiv 2405.00200" in out
    assert err == "\nwritten: here/manyshot.json, here/manyshot.png\n"
    written = json.loads(Path("here/manyshot.json").read_text())
    assert [point["examples"] for point in written["curve"]] == [1, 5, 10]


def test_json(run, texts):  # noqa: F811
    result = json.loads(run("bench", "manyshot", *texts, *COLUMNS, "--json")[1])
    assert result["rows"][-1]["accuracy"] == pytest.approx(10 / 11)  # "other" was never learnt
    assert result["scope"] is None


def test_mistakes(run, texts):  # noqa: F811
    for more, message in {
        ("--sizes", "few"): "'few' are no sizes",
        ("--input", "question"): "train.csv has no column question",
    }.items():
        code, out, err = run("bench", "manyshot", *texts, *COLUMNS, *more)
        assert (code, out) == (1, "")
        assert err.startswith(f"infinidoc: {message}")
