"""`infinidoc learn`, as people and scripts use it."""

import json
from pathlib import Path

import pytest

ROWS = [
    *((f"the ship {name} carries {what}", "ship") for name in ("Amalia", "Berta") for what in ("grain", "wine", "oil")),
    *((f"a bridge of {what} over the Rhine", "bridge") for what in ("stone", "steel", "wood", "iron")),
]


@pytest.fixture
def examples():
    Path("train.csv").write_text("text,kind\n" + "".join(f"{text},{label}\n" for text, label in ROWS))
    return "train.csv"


@pytest.fixture
def learnt(run, examples):
    assert run("learn", examples, "--input", "text", "--output", "kind", "--task", "things")[0] == 0
    return run


def test_prints_what_became_of_every_row(run, examples):
    with open(examples, "a") as file:
        file.write("no label,\na raft,ship\na raft,bridge\na raft,ship\n")
    code, out, err = run("learn", examples, "--input", "text", "--output", "kind")
    assert code == 0
    assert "12 learnt, 1 repeated, 1 empty" in out
    assert "default: 12 examples, 2 labels" in out
    assert "examples/s" in out
    assert err == "note: 1 input has several labels; all of them were learnt\n"
    code, out, _ = run("learn", examples, "-i", "text", "-o", "kind")
    assert "12 known already, 1 repeated, 1 empty" not in out
    assert "13 known already, 1 empty" in out


def test_json(run, examples):
    code, out, err = run("learn", examples, "-i", "text", "-o", "kind", "--json")
    summary = json.loads(out)
    assert (code, err) == (0, "")
    assert (summary["rows"], summary["added"], summary["examples"], summary["outputs"]) == (10, 10, 10, 2)


def test_more_can_be_learnt_later_from_another_kind_of_file(learnt):
    Path("more.jsonl").write_text('{"q": "a green book", "a": "book"}\nrubbish\n')
    code, out, err = learnt("learn", "more.jsonl", "-i", "q", "-o", "a", "--task", "things")
    assert code == 0
    assert "1 learnt, 1 unreadable" in out
    assert "things: 11 examples, 3 labels" in out
    assert err.startswith("unreadable row 2: no JSON")


def test_labels_that_look_like_text_are_said(run):
    Path("names.csv").write_text("text,name\n" + "".join(f"I saw {name},{name}\n" for name in ("Ann", "Bo", "Cy")))
    code, out, err = run("learn", "names.csv", "-i", "text", "-o", "name")
    assert (code, "3 labels" in out) == (0, True)
    assert err == "note: most labels have one example only; for text to be written, learn a new task with --kind text\n"
    assert run("learn", "names.csv", "-i", "text", "-o", "name", "-t", "written", "--kind", "text")[2] == ""


def test_one_label_only_is_said(run):
    Path("one.tsv").write_text("text\tkind\na\tship\nb\tship\n")
    code, _, err = run("learn", "one.tsv", "-i", "text", "-o", "kind")
    assert code == 0
    assert err.startswith("note: there is only one label")


@pytest.mark.parametrize(
    ("file", "column", "message"),
    [
        ("train.csv", "texts", "train.csv has no column texts: its columns are: text, kind"),
        ("gone.csv", "text", "there is no file gone.csv"),
        ("notes.txt", "text", "notes.txt is no table"),
        ("empty.csv", "text", "empty.csv has no column text: its columns are: none"),
        ("bare.csv", "text", "no examples in 0 rows"),
    ],
)
def test_mistakes_are_one_line_and_make_no_task(run, examples, file, column, message):
    Path("notes.txt").write_text("text\n")
    Path("empty.csv").write_text("")
    Path("bare.csv").write_text("text,kind\n")
    code, out, err = run("learn", file, "-i", column, "-o", "kind")
    assert (code, out) == (1, "")
    assert err.startswith(f"infinidoc: {message}")
    assert err.count("\n") == 1
    assert json.loads(run("tasks", "list", "--json")[1]) == {"tasks": []}
