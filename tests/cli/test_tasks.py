"""`infinidoc tasks`, as people and scripts use it."""

import json

from tests.cli.test_learn import ROWS, examples, learnt  # noqa: F401 (fixtures)


def test_list(learnt):  # noqa: F811
    (task,) = json.loads(learnt("tasks", "list", "--json")[1])["tasks"]
    assert (task["name"], task["kind"], task["examples"], task["outputs"]) == ("things", "labels", 10, 2)
    assert "things  labels" in learnt("tasks", "list")[1]


def test_no_tasks(run):
    code, out, err = run("tasks", "list")
    assert (code, out) == (0, "")
    assert "make one with: infinidoc learn" in err


def test_show(learnt):  # noqa: F811
    shown = json.loads(learnt("tasks", "show", "things", "--examples", "--json")[1])
    assert shown["labels"] == {"ship": 6, "bridge": 4}
    assert {(one["input"], one["output"]) for one in shown["example_list"]} == set(ROWS)
    text = learnt("tasks", "show", "things", "--examples")[1]
    assert "ship           6" in text
    assert all(row[0] in text for row in ROWS)


def test_remove_single_examples_by_text_or_number(learnt):  # noqa: F811
    listed = json.loads(learnt("tasks", "show", "things", "--examples", "--json")[1])["example_list"]
    one, other = listed[0], listed[1]
    code, out, _ = learnt("tasks", "remove", "things", "--example", one["input"], "--example", other["id"])
    assert code == 0
    assert out == "removed 2 examples; things has 8 examples left\n"
    left = json.loads(learnt("tasks", "show", "things", "--examples", "--json")[1])["example_list"]
    assert left == listed[2:]
    code, _, err = learnt("tasks", "remove", "things", "--example", one["input"])
    assert code == 1
    assert err.startswith(f"infinidoc: no example '{one['input']}' in things")


def test_remove_asks_first(learnt):  # noqa: F811
    code, out, _ = learnt("tasks", "remove", "things", stdin="n\n")
    assert code == 1
    assert "10 examples" in out
    assert learnt("tasks", "remove", "things", "--yes")[0] == 0
    code, _, err = learnt("tasks", "show", "things")
    assert code == 1
    assert err.startswith("infinidoc: there is no task things: make one with")
