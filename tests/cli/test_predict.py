"""`infinidoc predict`, as people and scripts use it."""

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.test_learn import examples, learnt  # noqa: F401 (fixtures)

SHIP, BRIDGE = "the ship Clara carries oil", "a bridge of brick over the Rhine"


def test_prints_the_label_and_the_examples_that_decided(learnt):  # noqa: F811
    code, out, _ = learnt("predict", "--task", "things", SHIP)
    first, *others = out.splitlines()
    assert code == 0
    assert first.startswith("ship  0.")
    assert len(others) == 5
    assert all("→ ship" in line for line in others[:2])
    code, out, _ = learnt("predict", "--task", "things", "--top", "1", SHIP, BRIDGE)
    assert [line for line in out.splitlines() if line in (SHIP, BRIDGE)] == [SHIP, BRIDGE]


def test_json_is_in_the_order_of_the_texts(learnt):  # noqa: F811
    code, out, err = learnt("predict", "--task", "things", "--json", BRIDGE, SHIP, "")
    found = json.loads(out)["predictions"]
    assert (code, err) == (0, "")
    assert [one["label"] for one in found] == ["bridge", "ship", None]
    assert found[0]["input"] == BRIDGE
    assert 0.5 < found[0]["probability"] <= 1
    assert found[0]["examples"][0]["label"] == "bridge"
    assert found[0]["in_scope"] in (True, False)


@pytest.mark.parametrize("how", [["--file", "new.csv"], ["new.csv"]])
def test_a_files_column_is_the_one_that_learn_was_told(learnt, how):  # noqa: F811
    Path("new.csv").write_text(f"number,text\n1,{SHIP}\n2,\n3,{BRIDGE}\n")
    found = json.loads(learnt("predict", "-t", "things", "--json", *how)[1])["predictions"]
    assert [one["label"] for one in found] == ["ship", None, "bridge"]


def test_or_the_one_that_is_named(learnt):  # noqa: F811
    Path("new.jsonl").write_text(json.dumps({"body": SHIP}) + "\n")
    code, out, _ = learnt("predict", "-t", "things", "--file", "new.jsonl", "--input", "body", "--json")
    assert json.loads(out)["predictions"][0]["label"] == "ship"
    code, _, err = learnt("predict", "-t", "things", "--file", "new.jsonl")
    assert code == 1
    assert err == "infinidoc: new.jsonl has no column text: its columns are: body\n"


def test_csv_out(learnt):  # noqa: F811
    code, out, _ = learnt("predict", "-t", "things", "--csv", f'{SHIP}, "quoted"', BRIDGE)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert [row["label"] for row in rows] == ["ship", "bridge"]
    assert rows[0]["input"] == f'{SHIP}, "quoted"'
    assert float(rows[0]["probability"]) > 0.5
    assert list(rows[0]) == ["input", "label", "probability", "in_scope"]


def test_lines_of_standard_input(learnt):  # noqa: F811
    _, out, _ = learnt("predict", "-t", "things", "--json", "-", stdin=f"{SHIP}\n{BRIDGE}\n")
    assert [one["label"] for one in json.loads(out)["predictions"]] == ["ship", "bridge"]


def test_text_that_is_markup_is_printed_as_it_is(run):
    Path("odd.csv").write_text("text,label\n[red]a[/],[bold]x[/bold]\n[/nothing] b,日本語\n")
    assert run("learn", "odd.csv", "-i", "text", "-o", "label")[0] == 0
    code, out, _ = run("predict", "[red]a[/]")
    assert code == 0
    assert out.startswith("[bold]x[/bold]")
    assert "[red]a[/] → [bold]x[/bold]" in out
    assert "日本語" in run("tasks", "show", "default", "--examples")[1]


def test_generated_text(run):
    Path("pairs.csv").write_text("en,fr\nthe green book,le livre vert\nthe long book,le livre long\n")
    assert run("learn", "pairs.csv", "-i", "en", "-o", "fr", "--kind", "text")[0] == 0
    found = json.loads(run("predict", "--json", "--max-tokens", "8", "the green door")[1])["predictions"][0]
    assert set(found) == {"input", "text", "examples"}
    assert {one["output"] for one in found["examples"]} == {"le livre vert", "le livre long"}


def test_mistakes(learnt):  # noqa: F811
    Path("notes.txt").write_text("The green book.")
    for arguments, message in {
        ("predict", "--task", "things", "notes.txt"): "notes.txt is no table: known by their endings",
        ("predict", "--task", "nothing", "a"): "there is no task nothing: there are: things",
        ("predict", "--task", "things"): "no text: give one",
        ("predict", "--task", "things", "gone.csv"): "there is no file gone.csv",
    }.items():
        code, out, err = learnt(*arguments)
        assert (code, out) == (1, "")
        assert err.startswith(f"infinidoc: {message}")
        assert err.count("\n") == 1
