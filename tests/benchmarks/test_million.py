"""A long ingest with a log, and what a collection costs beside the model; both small here."""

import json
import sys

import pytest

from benchmarks import million, search, store
from infinidoc.reading.collection import Collection
from tests.reading.library import write_library


def test_the_log_follows_the_ingest_and_a_second_run_reads_nothing(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setenv("INFINIDOC_MODEL", str(tiny))
    library, log = write_library(tmp_path / "library"), tmp_path / "logs" / "million.log"
    command = ["million", "--tokens", "3k", "--documents", str(library), "--log", str(log)]
    monkeypatch.setattr(sys, "argv", command)
    million.main()
    lines = log.read_text().splitlines()
    assert capsys.readouterr().out.splitlines() == lines
    steps = [int(line.split()[0].replace(",", "")) for line in lines if "since the last line" in line]
    assert len(steps) > 3
    assert steps == sorted(set(steps))
    with Collection.open("million") as collection:
        held = collection.store.counts()["tokens"]
    assert held == pytest.approx(3_000, rel=0.1)
    assert steps[-1] <= held
    assert f"{held:,} tokens of" in lines[-2]
    million.main()
    assert log.read_text().splitlines()[-2].startswith("0 tokens of 0 files")


def test_what_a_collection_costs_is_measured_on_one_that_grows(tmp_path):
    rows = store.measure(tmp_path, [8_000, 20_000])
    assert [row["tokens"] for row in rows] == [8_192, 20_480]
    assert {row["state_bytes"] for row in rows} == {22 * (3 * 2 * 64 * 64 + 1) * 8}
    for row in rows:
        assert row["text_bytes_per_token"] == pytest.approx(520 / 128)
        assert row["manifest_bytes_per_token"] > row["text_bytes_per_token"]
        assert min(row[f"{what}_seconds"] for what in ("commit", "merge", "open", "search")) > 0


def test_a_search_is_measured_beside_copies_of_the_same_bytes(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setenv("INFINIDOC_MODEL", str(tiny))
    out = str(tmp_path / "s.json")
    command = ["search", "--tokens", "20k", "--threads", "1", "--work", str(tmp_path / "work"), "--out", out]
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.setattr(search, "LIBRARY", write_library(tmp_path / "docs"))
    search.main()
    assert (tmp_path / "s.json").read_text() == capsys.readouterr().out
    result = json.loads((tmp_path / "s.json").read_text())
    assert 20_000 <= result["tokens"] < 21_000
    (row,) = result["rows"]
    assert row["threads"] == 1
    for kind in ("seconds", "cpu_seconds"):
        assert row[kind].keys() == {"open", "search", "scan", "scan_unrounded", "scan_of_half", "copy"}
