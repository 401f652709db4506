"""Base models by name: which is meant, where it is, and its digest."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infinidoc.model import catalogue
from infinidoc.model.catalogue import base_digest, find
from infinidoc.model.embedded import DEFAULT
from tests.model.base.bases import complaint


def test_the_name_is_what_was_asked_or_the_environments_or_the_embedded(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert catalogue.base_name() == DEFAULT
    monkeypatch.setenv("INFINIDOC_MODEL", str(model))
    assert catalogue.base_name() == str(model)
    assert find() == model
    assert catalogue.base_name("org/name") == "org/name"


def test_a_directory_wins_over_the_hub_and_may_be_relative(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model.parent)
    shutil.copytree(model, "org/name")
    assert find("org/name") == (model.parent / "org/name").resolve()
    assert find("./model") == model


def test_the_digest_is_of_content_and_not_of_place(model: Path, tiny: Path) -> None:
    assert base_digest(str(model)) == base_digest(str(tiny))
    assert len(base_digest(str(model))) == 64


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_the_digest_changes_with_the_model(model: Path, file: str) -> None:
    before = base_digest(str(model))
    content = bytearray((model / file).read_bytes())
    content[-2] ^= 1  # the same size
    os.utime(model / file, ns=(0, 0))
    (model / file).write_bytes(content)
    assert base_digest(str(model)) != before


def test_what_is_said_in_a_chat_does_not_change_the_digest(model: Path) -> None:
    before = base_digest(str(model))
    (model / "chat_template.jinja").write_text("another")
    assert base_digest(str(model)) == before


def test_a_file_is_hashed_once(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = base_digest(str(model))

    def refuse(*args: object) -> None:
        raise AssertionError("hashed again")

    monkeypatch.setattr(hashlib, "file_digest", refuse)
    assert base_digest(str(model)) == before


def test_a_damaged_memo_or_a_home_that_cannot_be_written_only_costs_time(model: Path, home: Path) -> None:
    before = base_digest(str(model))
    for spoiled in ("{", "[]", "null", '{"x": 1}'):
        (home / "models" / "digests.json").write_text(spoiled)
        assert base_digest(str(model)) == before
    shutil.rmtree(home)
    home.write_text("")
    assert base_digest(str(model)) == before


def test_no_digest_of_a_model_that_is_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFINIDOC_HOME", str(tmp_path / "fresh"))
    assert complaint(base_digest) == f"{DEFAULT} isn't on this machine: infinidoc models pull {DEFAULT}"


def test_finding_and_describing_need_no_torch(tiny: Path) -> None:
    script = f"""
import sys
from infinidoc.model.catalogue import base_digest, describe, find
path = find({str(tiny)!r})
describe("tiny", path), base_digest({str(tiny)!r})
print([name for name in ("torch", "transformers", "tiktoken") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("[]\n", "")


def test_quiet_gives_back_what_it_took() -> None:
    from transformers.utils import logging

    for verbosity in (logging.INFO, logging.ERROR):
        logging.set_verbosity(verbosity)
        with catalogue.quiet():
            assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (logging.ERROR, False)
        assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == (verbosity, True)
    logging.set_verbosity_warning()
