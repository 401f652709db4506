"""`infinidoc bench manyshot`, as people and scripts use it."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.test_learn import ROWS, examples  # noqa: F401 (fixtures)

COLUMNS = ("--input", "text", "--output", "kind", "--no-rag")


@pytest.fixture
def texts(examples):  # noqa: F811
    rows = [*((text.replace("Berta", "Clara"), label) for text, label in ROWS), ("def main():", "other")]
    Path("test.csv").write_text("text,kind\n" + "".join(f"{text},{label}\n" for text, label in rows))
    return examples, "test.csv"


def test_prints_tables_and_writes_json_and_png(run, texts):
    pytest.importorskip("matplotlib")
    code, out, err = run("bench", "manyshot", *texts, *COLUMNS, "--outside", "other", "--sizes", "1,5", "--out", "here")
    assert code == 0
    assert "train: 10 examples, 2 labels, 10 texts" in out
    assert re.search(r"memory and recall \(predict\) +100\.0 %", out)
    assert "of 1 texts outside of the task" in out
    assert "arXiv 2405.00200" in out
    assert err == "\nwritten: here/manyshot.json, here/manyshot.png\n"
    written = json.loads(Path("here/manyshot.json").read_text())
    assert [point["examples"] for point in written["tasks"][0]["curve"]] == [1, 5, 10]


def test_json(run, texts):
    (result,) = json.loads(run("bench", "manyshot", *texts, *COLUMNS, "--json")[1])["tasks"]
    assert result["rows"][-1]["accuracy"] == pytest.approx(10 / 11)  # "other" was never learnt
    assert result["scope"] is None


def test_public_tasks_are_looked_for_in_the_data_directory(run):
    data = Path("data")
    data.mkdir()
    code, out, err = run("bench", "manyshot", "--data", data)
    assert (code, out) == (1, "")
    assert err.startswith("infinidoc: there is no banking77-train*.csv in data: save train.csv")
    table = "text,category\n" + "".join(f"{text},{label}\n" for text, label in ROWS)
    (data / "banking77-train.csv").write_text(table)
    (data / "banking77-test.csv").write_text(table)
    parts = {"train": ROWS, "val": ROWS, "oos_val": [("def main():", "oos")]}
    (data / "clinc150.json").write_text(json.dumps(parts))
    tasks = json.loads(run("bench", "manyshot", "--data", data, "--no-rag", "--json")[1])["tasks"]
    assert [(task["name"], task["examples"], task["scope"] is None) for task in tasks] == [
        ("Banking77", 10, True),
        ("CLINC150", 10, False),
    ]


def test_mistakes(run, texts):
    for arguments, message in {
        (*texts, "--sizes", "few"): "'few' are no sizes",
        (*texts, "--input", "question"): "train.csv has no column question",
        texts[:1]: "no TEST",
    }.items():
        code, out, err = run("bench", "manyshot", *COLUMNS, *arguments)
        assert (code, out) == (1, "")
        assert err.startswith(f"infinidoc: {message}")
