"""What is aimed at, measured in turns and shown as it was measured."""

import json
import sys

import pytest

from benchmarks import aims


def test_each_has_its_turn_and_every_other_round_runs_backwards():
    turns = []
    works = {name: lambda name=name: float(turns.append(name) or len(turns)) for name in "abc"}
    assert aims.in_turns(works, 3) == {"a": [1, 6, 7], "b": [2, 5, 8], "c": [3, 4, 9]}
    assert "".join(turns) == "abccbaabc"


def test_a_ratio_is_of_what_was_measured_in_the_same_round():
    assert aims.ratio([10, 40, 90], [10, 20, 30]) == 2
    with pytest.raises(ValueError, match="zip"):
        aims.ratio([1], [1, 2])


def found(**values):
    return {"precision": "fp32", "seconds": {}, **values}


def test_the_table_names_every_aim_and_says_what_was_not_measured_and_what_was_forced(tmp_path):
    result = {
        "command": "python -m benchmarks.aims",
        "machine": {"processor": "A processor", "cpus": 2, "instructions": ["avx2", "avx512f"]},
        "threads": 2,
        "versions": {"torch": "2", "bm25s": None},
        "instructions": {"all": found(memory_of_bound=0.875), "AVX2": found(question_over_rag=1.25)},
    }
    table = aims.markdown(result)
    assert all(what in table for what, _, _ in aims.AIMS.values())
    assert "| its own instructions | AVX2, forced | aim |" in table
    assert f"| {aims.AIMS['memory_of_bound'][0]} | 0.88 | not measured | ≥ 0.85 |" in table
    assert "| not measured | 1.25 | ≤ 1 |" in table
    assert "torch 2" in table
    assert "bm25s" not in table
    result["machine"]["instructions"] = ["avx2"]
    assert "| AVX2 | aim |" in aims.markdown(result | {"instructions": {"AVX2": found()}})
    aims.draw(tmp_path / "aims.png", result)
    assert (tmp_path / "aims.png").read_bytes().startswith(b"\x89PNG")


def test_a_part_runs_in_a_process_of_its_own_with_the_instructions_that_it_was_told(
    tmp_path, tiny, monkeypatch, capsys
):
    monkeypatch.setenv("INFINIDOC_MODEL", str(tiny))
    monkeypatch.setenv("INFINIDOC_ADAPTER", "none")
    command = ["aims", "--parts", "searching", "--addresses", "2k", "--threads", "1", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", command)
    aims.main()
    result = json.loads((tmp_path / "out" / "aims.json").read_text())
    assert list(result["instructions"]) == ["all", "AVX2"]
    for row in result["instructions"].values():
        assert row["search_over_copy"] > 0
        assert row["search"]["threads"] == 1
    shown = (tmp_path / "out" / "aims.md").read_text()
    assert capsys.readouterr().out.strip() == shown.strip()


def test_a_part_that_fails_ends_it_with_its_last_line(tmp_path, monkeypatch):
    monkeypatch.setenv("INFINIDOC_MODEL", "no model!")
    monkeypatch.setattr(sys, "argv", ["aims", "--parts", "searching", "--out", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"benchmarks\.aims: searching with all instructions: .*no model"):
        aims.main()
    assert not (tmp_path / "aims.json").exists()
