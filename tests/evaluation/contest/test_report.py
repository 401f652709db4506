"""The report: one file that needs nothing beside it, and shows what it is given as text, never as markup."""

import re

import pytest

from infinidoc.evaluation.contest import report, summary
from infinidoc.evaluation.questions import Question
from tests.evaluation.contest.test_compare import FACTS, circumstances, record


@pytest.fixture
def result():
    questions = [
        Question("1", "Who <script>alert(1)</script> built it?", ("Ellen Marsh",), "/docs/a.txt"),
        Question("2", "How high?", ("31 metres",), "/docs/b.txt"),
        Question("3", "Why?", None, None),
    ]
    good = {
        "1": record("1", "Ellen Marsh", ["/docs/a.txt"], read="<b>It was Ellen Marsh.</b>"),
        "2": record("2", "31 metres", ["/docs/b.txt"]),
        "3": record("3", "because", ["/docs/b.txt"]),
    }
    bad = {key: record(key, "no idea & none", ["/docs/c.txt", "/docs/b.txt"]) for key in "123"}
    records = {"memory+recall": bad, "rag-bm25": good}
    facts = {"memory+recall": FACTS, "rag-bm25": FACTS, "full-context": FACTS | {"unfit": "9 tokens don't fit"}}
    return summary.summarise(questions, records, facts, 0) | circumstances()


def test_the_report_stands_alone(result, tmp_path):
    page = report.write_report(result, tmp_path / "out")
    text = page.read_text()
    assert page == tmp_path / "out" / "report.html"
    assert not re.search(r"(src|href|srcset)=\"(?!data:)", text)
    assert "http" not in text.replace("data:image/png;base64", "")
    assert text.count("data:image/png;base64,") == 6  # three pictures, for light and for dark
    assert "prefers-color-scheme: dark" in text
    for name in ("quality", "sources", "costs"):
        assert (tmp_path / "out" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_says_what_matters(result, tmp_path):
    text = report.write_report(result, tmp_path).read_text()
    assert result["verdict"] in text
    assert "not run: 9 tokens don" in text
    assert "&lt;script&gt;alert(1)" in text
    assert "&lt;b&gt;It was Ellen Marsh.&lt;/b&gt;" in text
    assert "<script" not in text
    assert "no idea &amp; none" in text
    assert "source missed" in text
    assert "Side by side" in text
    assert result["model"]["digest"][:16] in text


def test_no_gold_answers_no_figures(tmp_path):
    questions = [Question("1", "Why?")]
    records = {"memory": {"1": record("1", "because", None)}}
    result = summary.summarise(questions, records, {"memory": FACTS}, 0) | circumstances()
    text = report.write_report(result, tmp_path).read_text()
    assert text.count("data:image/png;base64,") == 2  # the costs
    assert "because" in text
    assert not (tmp_path / "quality.png").exists()


def test_missing_packages_are_named_before_anything_is_computed(monkeypatch):
    report.require()
    monkeypatch.setattr(report, "find_spec", lambda name: None)
    with pytest.raises(report.InfinidocError, match=r"jinja2.*infinidoc\[rag\]"):
        report.require()
