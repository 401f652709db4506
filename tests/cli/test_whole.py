"""`ask --whole` and `summarize`, as people call them."""

import json
import sqlite3

import pytest

from infinidoc.memory.manifest import MANIFEST
from infinidoc.reading import through
from infinidoc.reading.collection import Collection
from tests.reading.test_through import text_of


@pytest.fixture(autouse=True)
def few_slots(monkeypatch):
    monkeypatch.setattr(through, "SLOTS", 16)


def test_a_document_is_asked_about_and_summed_up(filled):
    code, out, err = filled("summarize", "log-00.txt")
    assert code == 0
    assert "[1]" in out
    assert "Sources\n1. docs/log-00.txt, line " in out
    assert "answered by " in err
    code, out, _ = filled(
        "ask", "--whole", "docs/log-00.txt", "--json", "How often is wine mentioned?", "What is the plot?"
    )
    counted, points = map(json.loads, out.splitlines())
    assert code == 0
    assert "wine" in counted["answer"]
    assert points["sources"][0]["document"] == "docs/log-00.txt"
    with Collection.open(create=False) as collection:
        assert len(list(collection.directory.glob("memory-*"))) == 1
        assert len(collection.log()) == 3


def test_a_file_in_no_collection_is_read_and_nothing_is_left(run, tmp_path, monkeypatch):
    (tmp_path / "work" / "alone.txt").write_text(text_of(20))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before = sorted(tmp_path.rglob("*.safetensors"))
    code, out, err = run("summarize", "alone.txt", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["sources"]
    assert sorted(tmp_path.rglob("*.safetensors")) == before
    assert not (tmp_path / "work" / ".infinidoc").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("summarize", "gone.txt"), "no document gone.txt"),
        (("summarize", "docs"), "docs is a directory"),
        (("ask", "--whole", "gone.txt", "What?"), "no document gone.txt"),
        (("ask", "--whole", "log", "--in", "docs", "What?"), "--whole reads these documents and no others"),
        (("ask", "--whole", "docs/log-00.txt", "--reader", "http://localhost:9/v1#m", "What?"), "can't read whole"),
    ],
)
def test_bad_input_is_one_line(filled, arguments, line):
    code, out, err = filled(*arguments)
    assert code == 1
    assert out == ""
    assert line in err
    assert err.count("\n") == 1


def test_what_can_not_be_summed_up_leaves_the_others(filled):
    code, out, err = filled("summarize", "gone.txt", "log-01.txt", "--json")
    assert code == 1
    assert json.loads(out)["document"].endswith("log-01.txt")
    assert err.count("\n") == 1


@pytest.mark.parametrize("table", [None, "documents"])  # all of the manifest; what tells which documents there are
def test_a_collection_that_is_damaged_is_not_taken_for_one_without_the_document(filled, tmp_path, table):
    manifest = tmp_path / "work" / ".infinidoc" / MANIFEST
    with sqlite3.connect(manifest) as sql:
        sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = sql.execute("PRAGMA page_size").fetchone()
        roots = dict(sql.execute("SELECT name, rootpage FROM sqlite_master"))
    sql.close()
    with manifest.open("r+b") as file:
        file.seek((roots[table] - 1) * size if table else 0)
        file.write(b"\xa5" * size)
    for command in (["summarize", "log-00.txt"], ["ask", "--whole", "log-00.txt", "How does it end?"]):
        code, out, err = filled(*command)
        assert (code, out) == (1, "")
        assert "is damaged" in err
        assert err.count("\n") == 1
