"""`infinidoc readers`, and `--reader` of ask and chat."""

import json
import socket

import pytest

from tests.reading.servers import STREAM, event, reply, serving, stream
from tests.tiny import tiny_model

ASK = ("ask", "Which ship carries salt?", "--top", "2", "--max-tokens", "3")


def test_ask_says_which_reader_answered(filled):
    with serving(stream("the Amalia")) as server:
        code, out, err = filled(*ASK, "--reader", server.name)
    assert code == 0
    assert out.startswith("the Amalia\n")
    assert "\nSources\n1. docs/log-0" in out
    assert f"answered by {server.name}; first word after" in err


def test_a_reader_that_was_chosen_is_asked_until_another_is(filled, tiny):
    with serving(stream("the Amalia")) as server:
        code, out, err = filled("readers", "use", server.name)
        assert (code, out) == (0, "")
        assert err == f"ask and chat will use {server.name}; question and passages are sent there\n"
        assert filled(*ASK)[1].startswith("the Amalia\n")
        assert filled("chat", stdin="Which ship?\n")[1].startswith("the Amalia\n")
        assert len(server.asked) == 2
        assert json.loads(filled(*ASK, "--reader", "own", "--json")[1])["reader"] == str(tiny)
        assert filled("ask", "--memory-only", "Which ship?")[0] == 0
        assert filled("readers", "use", "own")[2] == "ask and chat will use the model of each collection\n"
        assert json.loads(filled(*ASK, "--json")[1])["reader"] == str(tiny)
        assert len(server.asked) == 2


def test_another_base_model_can_be_chosen(filled, tmp_path):
    other = str(tiny_model(tmp_path / "other", "qwen2", seed=4))
    assert filled("readers", "use", other)[0] == 0
    assert json.loads(filled(*ASK, "--json")[1])["reader"] == other


def test_a_dead_reader_costs_one_line_and_the_sources_are_there(filled):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    code, out, err = filled(*ASK, "--reader", f"{address}/v1#small")
    assert code == 1
    line = f"infinidoc: no reader at {address} (Connection refused): start it, or choose another one with --reader\n"
    assert err == line
    assert out.startswith("\nSources\n1. docs/log-0")
    assert "\n2. docs/log-0" in out
    code, out, _ = filled(*ASK, "--reader", f"{address}/v1#small", "--json")
    failed = json.loads(out)
    assert code == 1
    assert failed["error"].startswith("no reader at")
    assert len(failed["sources"]) == 2
    chat = filled("chat", "--reader", f"{address}/v1#small", stdin="Which ship?\n")
    assert chat[0] == 0
    assert "docs/log-0" in chat[1]
    assert "no reader at" in chat[2]


def test_one_that_breaks_off_ends_its_line(filled):
    with serving(stream("the Am", end=b"")) as server:
        code, out, err = filled(*ASK, "--reader", server.name)
    assert code == 1
    assert out.startswith("the Am\n\nSources\n1. docs/")
    assert "broke off" in err


def test_a_question_that_fails_loses_no_other(filled):
    count = 0

    def every_second(connection):
        nonlocal count
        count += 1
        (stream("the Amalia") if count % 2 else reply("{}", "500 Oh"))(connection)

    with serving(every_second) as server:
        code, out, _ = filled("ask", "Which?", "What?", "Who?", "--json", "--reader", server.name)
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer.get("answer") for answer in answers] == ["the Amalia", None, "the Amalia"]
    assert code == 1


def test_a_rude_reader_cannot_steer_the_terminal(filled):
    with serving(lambda connection: connection.sendall(STREAM + event("\x1b]0;title\x07\x1b[2Jred", "stop"))) as server:
        _, out, err = filled(*ASK, "--reader", server.name)
    assert "red\n" in out
    assert not {"\x1b", "\x07"} & set(out + err)


@pytest.mark.parametrize("command", [("ask", "Which ship?", "--reader"), ("chat", "--reader"), ("readers", "use")])
def test_no_such_reader(filled, command):
    code, out, err = filled(*command, "nobody")
    assert (code, out) == (1, "")
    assert err.startswith("infinidoc: no reader nobody: own, a base model, or an address such as http://")
    assert filled(*command, "http://localhost:1/v1")[2].startswith(
        "infinidoc: http://localhost:1/v1 names no model: add"
    )


def test_list(run, tiny):
    def readers():
        return json.loads(run("readers", "list", "--json")[1])["readers"]

    own, *models = readers()
    assert own == {"name": "own", "kind": "own", "adapter": None, "chosen": True}
    assert {"name": str(tiny), "kind": "model", "adapter": None, "chosen": False} in models
    run("readers", "use", str(tiny))
    assert [row["name"] for row in readers() if row["chosen"]] == [str(tiny)]
    run("readers", "use", "http://localhost:1/v1#m")
    assert readers()[-1] == {"name": "http://localhost:1/v1#m", "kind": "endpoint", "adapter": None, "chosen": True}
    lines = run("readers", "list")[1].splitlines()
    assert lines[0].startswith("name")
    assert lines[-1].startswith("http://localhost:1/v1#m")
