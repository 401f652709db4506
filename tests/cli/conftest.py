"""Commands run in this process, and a filled collection to run them on."""

import io
import sys

import pytest

from infinidoc import cli
from tests.reading.library import without_threshold, write_library


@pytest.fixture
def run(monkeypatch, capsys, tiny):
    """Runs a command in this process, with the tiny model: (exit code, stdout, stderr)."""
    monkeypatch.setenv("INFINIDOC_MODEL", str(tiny))

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "argv", ["infinidoc", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = 0
        try:
            cli.main()
        except SystemExit as exit_:
            code = exit_.code or 0
        result = capsys.readouterr()
        assert "Traceback" not in result.err
        return code, result.out, result.err

    return run


@pytest.fixture
def docs(tmp_path):
    return write_library(tmp_path / "work" / "docs", count=3)


@pytest.fixture
def filled(run, docs, monkeypatch):
    """A filled collection with a memory, in which every question finds something."""
    assert run("ingest", "--memory", "docs")[0] == 0
    without_threshold(monkeypatch)
    return run
