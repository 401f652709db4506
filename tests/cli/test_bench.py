"""`infinidoc bench`: tables for people, JSON for scripts, one line for mistakes."""

import json
import subprocess
import sys

import pytest

from infinidoc.cli import bench


@pytest.fixture
def run(run):
    """Runs `infinidoc bench …` in this process, with the tiny model: (exit code, stdout, stderr)."""
    return lambda *arguments: run("bench", *arguments)


@pytest.fixture
def book(tmp_path):
    file = tmp_path / "work" / "book.txt"
    file.write_text("The lighthouse keeper wrote the number of every passing ship.\n\n" * 3 + "ship grain wine " * 900)
    return file


def test_passkey_json_is_what_scripts_expect(run, tmp_path):
    code, out, err = run(
        "passkey", "--lengths", "256,1k", "--samples", "2", "--seed", "3", "--json", "--out", "results"
    )
    assert code == 0
    result = json.loads(out)
    assert [set(row) for row in result["rows"]] == [{"length", "depth", "accuracy", "n"}] * 6
    assert [row["length"] for row in result["rows"]] == [256] * 3 + [1024] * 3
    assert all(row["n"] == 2 and 0 <= row["accuracy"] <= 1 for row in result["rows"])
    assert result["seed"] == 3
    assert result["command"].startswith("infinidoc bench passkey --lengths 256,1k")
    assert json.loads((tmp_path / "work" / "results" / "passkey.json").read_text()) == result
    assert (tmp_path / "work" / "results" / "passkey.png").exists()
    assert "gates of the memory are closed" in err


def test_tables_stand_beside_published_figures(run, book):
    code, out, err = run("passkey", "--lengths", "256", "--samples", "1")
    assert code == 0
    assert "start  middle   end" in out or "start  middle  end" in out
    assert "Published: Munkhdalai" in out
    assert "100/100/100" in out
    assert "\x1b[" not in out + err
    assert "bench-results/passkey.json, bench-results/passkey.png" in err
    assert "ARMT 145M" in run("babi", "--lengths", "256", "--samples", "1", "--prose", book)[1]
    assert "75 %" in run("needle", "--lengths", "256", "--samples", "1", "--prose", book)[1]
    assert "window" in run("perplexity", "--lengths", "512", "--samples", "1", "--prose", book)[1]
    slots = ("--slots", "16,8", "--keep", "late,residual")
    out = run("perplexity", "--lengths", "512", "--samples", "1", "--prose", book, *slots)[1]
    assert "8 slots" in out
    assert out.index("8 slots") < out.index("16 slots") < out.index("full")
    out = run("needle", "--lengths", "512", "--samples", "1", "--prose", book, *slots)[1]
    lines = [line.split() for line in out.splitlines()]
    assert lines[1][:3] == ["tokens", "slots", "0"]
    assert [line[:2] for line in lines if line[:1] == ["512"]] == [["512", "8"], ["512", "16"]]
    out = run("memory", "--lengths", "1k,1m")[1]
    assert "full attention" in out
    assert "115.7 times less" in out


def test_numbers_come_even_without_a_picture(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, out, err = run("memory", "--json")
    assert code == 0
    assert json.loads(out)["rows"]
    assert "pip install 'infinidoc[bench]'" in err


MISTAKES = [
    (["passkey", "--lengths", "many"], "'many' is not a length", 1),
    (["passkey", "--lengths", "10"], "too short", 1),
    (["passkey", "--lengths", f"4k,{'9' * 400}m"], "too long", 1),
    (["passkey", "--samples", "0"], "--samples", 2),
    (["passkey", "--adapter", "nope"], "no adapter nope", 1),
    (["needle", "--lengths", "1m", "--prose", "book.txt"], "without repetition", 1),
    (["babi", "--prose", "nowhere"], "nowhere", 1),
    (["perplexity", "--lengths", "512,1m", "--prose", "book.txt"], "no document is long enough", 1),
    (["perplexity", "--slots", "8,many", "--prose", "book.txt"], "'many' is not a number of slots", 1),
    (["perplexity", "--slots", "0"], "'0' is not a number of slots", 1),
    (["perplexity", "--slots", str(2**64)], "is not a number of slots up to 65,536", 1),
    (["perplexity", "--keep", "luck"], "can't keep slots by 'luck'", 1),
    (["passkey", "--slots", "8", "--keep", "luck"], "can't keep slots by 'luck'", 1),
    (["passkey", "--slots", "8", "--keep", "learnt"], "no write gate to keep slots by", 1),
    (["memory", "--model", "./no-such-model"], "no-such-model", 1),
]


@pytest.mark.parametrize(("arguments", "says", "expected"), MISTAKES)
def test_mistakes_get_one_line(run, book, arguments, says, expected):
    code, out, err = run(*arguments)
    assert code == expected
    assert out == ""
    if expected == 1:
        assert err.splitlines()[-1].startswith("infinidoc: ")
        assert says in err.splitlines()[-1]
    assert says in err


def test_help_has_examples_and_costs_no_torch():
    light = "import sys; import infinidoc.cli.bench; assert not {'torch', 'transformers', 'numpy'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", light], check=True)
    for command in bench.app.registered_commands:
        name, text = command.name or command.callback.__name__, command.help or command.callback.__doc__
        assert f"infinidoc bench {name}" in text
