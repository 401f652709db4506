"""`infinidoc models list | pull | show`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from infinidoc.cli import models
from infinidoc.errors import InfinidocError
from infinidoc.model import catalogue
from infinidoc.model.embedded import DEFAULT, EMBEDDED


def run(*arguments: str) -> Result:
    return CliRunner().invoke(models.app, arguments)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any model."""
    monkeypatch.setenv("INFINIDOC_HOME", str(tmp_path / "fresh"))
    return tmp_path / "fresh"


def test_list_on_a_fresh_machine_says_how_to_get_one(fresh: Path) -> None:
    result = run("list")
    assert result.exit_code == 0
    notes = [f"{name} isn't here yet: infinidoc models pull {name}" for name in EMBEDDED]
    assert result.output.splitlines() == notes
    assert json.loads(run("list", "--json").stdout) == {"models": []}


def test_list_shows_the_model_in_use(fresh: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFINIDOC_MODEL", str(tiny))
    lines = run("list").stdout.splitlines()
    assert lines[0].split() == ["name", "family", "parameters", "dtype", "on", "disk", "digest", "where"]
    assert lines[1].split()[:2] == [str(tiny), "llama"]
    assert lines[1].rstrip().endswith(str(tiny))
    (model,) = json.loads(run("list", "--json").stdout)["models"]
    assert model["digest"] == catalogue.base_digest(str(tiny))
    assert model["parameters"] == 118_208  # 400·64 + 3·(2·64·64 + 2·64·32 + 3·64·96 + 2·64) + 64
    assert model["path"] == str(tiny)


def test_list_leaves_out_what_is_damaged(fresh: Path) -> None:
    (fresh / "models" / DEFAULT).mkdir(parents=True)
    assert run("list").exit_code == 0
    assert json.loads(run("list", "--json").stdout) == {"models": []}


def test_pull_as_json(tiny: Path) -> None:
    pulled = json.loads(run("pull", str(tiny), "--json").stdout)
    assert (pulled["path"], pulled["digest"]) == (str(tiny), catalogue.base_digest(str(tiny)))


def test_show(tiny: Path) -> None:
    result = run("show", str(tiny))
    assert result.exit_code == 0
    shown = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert shown["layers"] == "3"
    assert shown["heads"] == "4 of 16 dimensions; 2 for keys and values"
    assert shown["vocabulary"] == "400"
    assert shown["context"] == "4,096 tokens"
    assert shown["digest"] == catalogue.base_digest(str(tiny))
    content = json.loads(run("show", str(tiny), "--json").stdout)
    assert (content["layers"], content["heads"], content["kv_heads"], content["head_dim"]) == (3, 4, 2, 16)
    assert content["licence"] is None


def test_show_what_is_not_here(fresh: Path) -> None:
    error = run("show").exception
    assert isinstance(error, InfinidocError)
    assert str(error) == f"{DEFAULT} isn't on this machine: infinidoc models pull {DEFAULT}"


@pytest.mark.real
def test_the_embedded_model() -> None:
    shown = json.loads(run("show", "--json").stdout)
    assert (shown["name"], shown["licence"], shown["parameters"]) == (DEFAULT, "Apache-2.0", 134_515_008)
    assert (shown["layers"], shown["heads"], shown["kv_heads"], shown["head_dim"]) == (30, 9, 3, 64)
    assert DEFAULT in run("list").stdout
    again = run("pull")
    assert again.exit_code == 0
    assert again.output.startswith(f"{DEFAULT} is already there: ")


def test_pull_shows_how_far_it_is(fresh: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ensure(name: str, progress: catalogue.Progress) -> Path:
        for stage in models.STAGES:
            progress(stage, 0, 0)
            progress(stage, 3, 4)
        return tiny

    monkeypatch.setattr(catalogue, "ensure", ensure)
    result = run("pull", DEFAULT)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{DEFAULT} is ready: {tiny} (")
    assert len(result.stdout.splitlines()) == 1


def test_pull_passes_failures_on(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ensure(name: str, progress: catalogue.Progress) -> Path:
        raise InfinidocError("no disk space left")

    monkeypatch.setattr(catalogue, "ensure", ensure)
    assert isinstance(run("pull").exception, InfinidocError)


@pytest.mark.parametrize("command", [[], ["list"], ["pull"], ["show"]])
def test_help_has_examples(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    if command:
        assert f"infinidoc models {command[0]}" in result.output


def test_help_is_quick_to_come() -> None:
    script = "import sys, infinidoc.cli.models\nprint({'torch', 'transformers', 'numpy'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
