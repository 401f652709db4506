"""Tables, row by row."""

import json

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.manyshot.tables import read


def values(path, *columns):
    return [row.values for row in read(path, columns)]


def test_csv_has_quoted_cells_over_several_lines(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('text,"a ""b""",label\n"one, two\nthree",x,yes\n,y,no\n')
    assert values(path, "label", "text") == [("yes", "one, two\nthree"), ("no", "")]


def test_numbers_count_rows_and_the_share_ends_at_one(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "x\n" * 50_000)
    rows = list(read(path, ["text"]))
    assert [rows[0].number, rows[-1].number] == [1, 50_000]
    assert 0 < rows[0].done < 0.5
    assert rows[-1].done == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "text\tlabel\ncomma, inside\tyes\n"),
        ("a.csv", "text;label\ncomma, inside;yes\n"),
        ("a.csv", 'text,label\n"comma, inside",yes\n'),
    ],
)
def test_separators(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content)
    assert values(path, "text", "label") == [("comma, inside", "yes")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes("text,label\nKäse für Zoë,gut\nnaïve,déjà\n".encode(encoding))
    assert values(path, "text", "label") == [("Käse für Zoë", "gut"), ("naïve", "déjà")]


def test_short_rows_have_nothing_in_the_missing_cells(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\nonly text\n\nboth,yes,more\n")
    assert values(path, "text", "label") == [("only text", ""), ("both", "yes")]


def test_a_missing_column_is_named_with_those_there_are(tmp_path):
    for name, content in {"a.csv": "text,label\na,b\n", "a.jsonl": '{"text": "a", "label": "b"}\n'}.items():
        (tmp_path / name).write_text(content)
        with pytest.raises(InfinidocError, match=r"has no column intent: its columns are: text, label"):
            list(read(tmp_path / name, ["text", "intent"]))


def test_jsonl_values_become_text(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"t": 12}, {"t": None}, {"t": True}, {"t": " ü "}, {}, {"t": ["a"]}]
    path.write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    assert values(path, "t") == [("12",), ("",), ("true",), ("ü",), ("",), ('["a"]',)]


def test_bad_lines_of_jsonl_are_problems_and_the_rest_is_read(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"t": "a"}\n{"t": \n[1]\n{"t": "b"}\n')
    rows = list(read(path, ["t"]))
    assert [bool(row.problem) for row in rows] == [False, True, True, False]
    assert rows[3].values == ("b",)


@pytest.mark.parametrize("name", ["gone.csv", "a.txt", "picture.csv", "empty.csv"])
def test_what_is_no_table(tmp_path, name):
    (tmp_path / "a.txt").write_text("text\n")
    (tmp_path / "picture.csv").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InfinidocError):
        list(read(tmp_path / name, ["text"]))


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"text": ["a", None, "c"], "n": [1, 2, 3]}), path)
    assert values(path, "n", "text") == [("1", "a"), ("2", ""), ("3", "c")]
    with pytest.raises(InfinidocError, match="has no column label"):
        list(read(path, ["label"]))
    path.write_bytes(b"no parquet")
    with pytest.raises(InfinidocError, match="can't be read"):
        list(read(path, ["text"]))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(InfinidocError, match="pip install pyarrow"):
        list(read(tmp_path / "a.parquet", ["text"]))
