"""`infinidoc compare` as people and scripts use it."""

import json

import pytest

from infinidoc.evaluation.contest import compare, worker
from infinidoc.evaluation.contest.jobs import LONG, NAMES, Job
from tests.reading.library import write_library


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    def carry_out(job, out, notify):
        worker.work(Job(**json.loads(json.dumps(vars(job)))), lambda event: None)

    monkeypatch.setattr(compare, "carry_out", carry_out)


@pytest.fixture
def work(tmp_path):
    write_library(tmp_path / "work" / "docs", count=3, longest=6)
    return tmp_path / "work"


@pytest.fixture
def questions(work):
    rows = [
        {"question": "Which ship carries salt?", "answers": ["Amalia"], "source": "docs/log-00.txt"},
        {"question": "Which ship carries tea?", "answers": ["Dagmar"], "source": "log-01.txt"},
    ]
    (work / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return "questions.jsonl"


CHEAP = ("--systems", "no-context,rag-bm25")


def test_tables_verdict_failures_and_files(run, work, questions):
    code, out, err = run("compare", "--rag", "--questions", questions, *CHEAP, "docs")
    assert code == 0, err
    lines = out.splitlines()
    assert " ".join(lines[0].split()) == "system exact match F1 contained source first in first five n"
    assert lines[1].startswith("rag-bm25")  # the usual order, whatever --systems had
    assert lines[2].startswith("no-context")
    assert "±" in lines[1]
    assert "n/a" in lines[2]
    assert "won" in out
    assert "No verdict" in out
    assert "(right: Amalia)" in out
    assert "\x1b[" not in out + err
    for name in ("report.html", "quality.png", "sources.png", "costs.png", "result.json"):
        assert (work / "comparison" / name).stat().st_size > 0, name
    assert "comparison/report.html" in out


def test_json_has_the_promised_shape(run, work, questions):
    code, out, _ = run("compare", "--rag", "-q", questions, *CHEAP, "--json", "--limit", "1", "--out", "there", "docs")
    assert code == 0
    result = json.loads(out)
    assert [row["name"] for row in result["systems"]] == ["rag-bm25", "no-context"]
    for row in result["systems"]:
        assert {"name", "em", "f1", "contains", "source_at_1", "source_at_5", "n"} <= row.keys()
        assert row["n"] == 1
    assert (work / "there" / "report.html").exists()


def test_questions_from_standard_input_are_answered_side_by_side(run, work):
    code, out, err = run("compare", "--systems", "no-context,rag-bm25", "docs", stdin="Which ship carries salt?\n")
    assert code == 0, err
    assert "Which ship carries salt?" in out
    assert "docs/log-0" in out
    assert "without right answers" in out or "No verdict" in out


def test_without_rag_there_is_none(monkeypatch, work):
    from infinidoc.cli.compare import choose

    assert choose(None, rag=False) == ["memory", "memory+recall", "full-context", "no-context"]
    assert choose(None, rag=True) == [name for name in NAMES if name not in LONG]
    assert choose("truncated,whole", rag=False) == ["whole", "truncated"]
    assert choose("no-context, rag-dense", rag=False) == ["rag-dense", "no-context"]


MISTAKES = [
    (["compare", "--rag", "--questions", "nope.json"], "nope.json", 1),
    (["compare", "--systems", "bm25", "docs"], "no system is called bm25: choose from memory,", 1),
    (["compare", "--systems", ",", "docs"], "no system is called nothing", 1),
    (["compare", "docs"], "standard input has no questions", 1),
    (["compare", "--questions", "questions.jsonl", "nowhere"], "no such file or directory: 'nowhere'", 1),
    (["compare", "--questions", "questions.jsonl"], "no documents: name files", 1),
    (["compare", "--limit", "0", "docs"], "--limit", 2),
]


@pytest.mark.parametrize(("arguments", "says", "expected"), MISTAKES)
def test_mistakes_get_one_line_and_an_exit_code(run, work, questions, arguments, says, expected):
    code, out, err = run(*arguments)
    assert code == expected
    assert says in err
    assert out == ""
    if expected == 1:
        assert len(err.splitlines()) == 1
        assert err.startswith("infinidoc: ")
    assert not (work / "comparison").exists()


def test_the_projects_own_questions_are_a_benchmark(run, work):
    """Without an article of it in any training, on a collection that holds the others too."""
    code, out, err = run("bench", "questions", "--systems", "no-context,rag-bm25", "--samples", "3", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert [row["name"] for row in result["systems"]] == ["rag-bm25", "no-context"]
    assert result["questions"]["n"] == 3
    assert (work / "bench-results" / "questions" / "report.html").exists()
