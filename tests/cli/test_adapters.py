"""`infinidoc adapters` and `infinidoc train`, as a person uses them."""

import json
import lzma
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from infinidoc.cli import app
from infinidoc.errors import InfinidocError
from infinidoc.model import adapters
from infinidoc.model.base import load_base
from infinidoc.training import recipes
from infinidoc.training.questions import Asked, Questions
from infinidoc.training.trainer import Settings


def invoke(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def quick(monkeypatch):
    """Recipes of two steps, with the real tasks."""
    for part, tasks in (
        ("memory", {"facts": 1.0}),
        ("joined", {"facts": 1.0, "reading": 1.0}),
    ):
        rank = 4 if part == "joined" else 2
        monkeypatch.setitem(
            recipes.PARTS, part, Settings(first_layer=1, rank=rank, steps=2, batch_tokens=50, tasks=tasks)
        )


def test_train_the_parts_and_join_them(tiny, tmp_path, quick):
    base = load_base(str(tiny))
    result = invoke("train", "memory", "--out", tmp_path / "memory", "--model", tiny, "--precision", "fp32")
    assert result.exit_code == 0
    card = adapters.describe(tmp_path / "memory")
    assert (card.parts, card.model_digest) == (["memory"], base.digest)
    parts = ["--init", tmp_path / "memory"]
    invoke("train", "joined", *parts, "--out", tmp_path / "joined", "--model", tiny, "--precision", "fp32")
    joined = adapters.describe(tmp_path / "joined")
    assert joined.parts == ["reader", "memory"]
    assert {file.name for file in (tmp_path / "joined").iterdir()} >= {"adapter.safetensors", "curves.png", "log.csv"}
    shown = json.loads(invoke("adapters", "show", tmp_path / "joined", "--json").stdout)
    assert shown["digest"] == adapters.load(joined).digest
    assert "memory" in invoke("adapters", "show", tmp_path / "joined").stdout
    invoke("adapters", "use", tmp_path / "joined", "--model", tiny)
    assert adapters.default_for(base.digest).path == joined.path
    invoke("adapters", "use", "none", "--model", tiny)
    assert adapters.default_for(base.digest) is None


def test_a_reader_is_trained_into_an_adapter_and_its_collections_stay(tiny, tmp_path, quick):
    out = tmp_path / "mine"
    invoke("train", "memory", "--out", out, "--model", tiny, "--precision", "fp32")
    was = adapters.load(adapters.describe(out)).digest
    Path("a.txt").write_text("The Amalia carries grain and wine.\n")
    invoke("ingest", "a.txt", "--model", tiny, "--adapter", out)
    questions = Questions()
    number = questions.text("a.txt, line 1", "The Amalia carries grain and wine.")
    questions.asked += [Asked("test", "What does she carry?", ("grain",), "answer", (number,))] * 60
    questions.save(out / "questions.json.xz")
    result = invoke("train", "reader", "--out", out, "--model", tiny, "--precision", "fp32")
    assert result.exit_code == 0
    card = adapters.describe(out)
    assert card.parts == ["memory", "reader"]
    assert card.reader_layer is not None
    assert adapters.load(card).digest == was
    assert json.loads(invoke("ask", "What does the Amalia carry?", "--json").stdout)["answer"]  # it can still be read


def test_what_can_not_be_trained_is_said_in_a_line(tiny, tmp_path, quick):
    (tmp_path / "empty").mkdir()
    out = ("--out", tmp_path / "mine", "--model", tiny)
    with pytest.raises(InfinidocError, match=r"no questions in .*empty: they are files"):
        invoke("train", "reader", "--data", tmp_path / "empty", *out)
    with pytest.raises(InfinidocError, match="has 3 layers, and training would begin at layer 3: it must be from 0"):
        invoke("train", "reader", "--first-layer", 3, *out)
    recipes.PARTS["memory"] = replace(recipes.PARTS["memory"], first_layer=8)  # as it is outside of tests
    with pytest.raises(InfinidocError, match="has 3 layers, and training would begin at layer 8: it must be from 0"):
        invoke("train", "memory", *out)


def test_slots_are_trained_into_an_adapter_and_measured_and_its_collections_stay(tiny, tmp_path, quick):
    out, books = tmp_path / "mine", tmp_path / "books"
    invoke("train", "memory", "--out", out, "--model", tiny, "--precision", "fp32")
    was = adapters.load(adapters.describe(out)).digest
    Path("a.txt").write_text("The Amalia carries grain and wine.\n")
    invoke("ingest", "a.txt", "--model", tiny, "--adapter", out)
    said = json.loads(invoke("ask", "What does the Amalia carry?", "--json").stdout)["answer"]
    books.mkdir()
    for number in range(4):
        text = " ".join(f"Ship {line} of {number} carries grain." for line in range(150))
        (books / f"{number}.jsonl.xz").write_bytes(lzma.compress(json.dumps({"text": text}).encode()))
    train = ("train", "slots", "--data", books, "--out", out, "--model", tiny, "--precision", "fp32", "--steps", 2)
    with pytest.raises(InfinidocError, match="choose a multiple of 512"):
        invoke(*train, "--length", 1100)
    assert invoke(*train, "--length", 1024).exit_code == 0
    card = adapters.describe(out)
    assert card.parts == ["memory", "slots"]
    assert adapters.load(card).digest == was
    assert json.loads(invoke("ask", "What does the Amalia carry?", "--json").stdout)["answer"] == said
    bench = ("bench", "perplexity", "--lengths", 512, "--samples", 1, "--prose", out / "held-out", "--json")
    measured = invoke(*bench, "--slots", 8, "--adapter", out, "--model", tiny)
    assert [row["system"] for row in json.loads(measured.stdout)["rows"]] == ["window", "memory", "8 slots", "full"]


def test_an_adapter_of_another_base_model_is_refused(tiny, tmp_path):
    about = {"model": "other", "model_digest": "f" * 64, "kernel": "least_squares", "first_layer": 0, "parts": "memory"}
    adapters.save(tmp_path / "foreign", {"x": torch.zeros(1)}, about)
    with pytest.raises(InfinidocError, match="the adapter foreign was trained on other"):
        invoke("adapters", "use", tmp_path / "foreign", "--model", tiny)


def test_list_names_where_they_are(tiny, tmp_path):
    shipped = json.loads(invoke("adapters", "list", "--json").stdout)["adapters"]
    assert all(card["shipped"] for card in shipped)
    with pytest.raises(InfinidocError, match="no adapter nobody"):
        invoke("adapters", "show", "nobody")


def test_help_explains_the_parts():
    for arguments in (["train"], ["train", "joined"], ["adapters", "use"]):
        assert "infinidoc" in invoke(*arguments, "--help").stdout


def test_an_adapter_to_start_from_is_looked_for_before_anything_else(tiny, tmp_path, quick):
    with pytest.raises(InfinidocError, match="no adapter nobody"):
        invoke("train", "joined", "--init", "nobody", "--out", tmp_path / "run", "--model", tiny)
    assert not (tmp_path / "run").exists()


def test_what_was_trained_as_json(tiny, tmp_path, quick):
    made = json.loads(
        invoke("train", "memory", "--out", tmp_path / "run", "--model", tiny, "--precision", "fp32", "--json").stdout
    )
    assert (made["path"], made["parts"]) == (str(tmp_path / "run"), ["memory"])
