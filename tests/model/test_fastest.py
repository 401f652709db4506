"""The precision that a machine is faster in: measured once, remembered, and nothing that a collection was read in."""

import json
import time

import pytest
import torch

from infinidoc import Collection
from infinidoc.model import fastest as measuring
from infinidoc.model.catalogue import base_digest
from infinidoc.model.decoder import MLP
from infinidoc.model.fastest import MEMO, fastest, measured, remembered
from tests.tiny import FAMILIES, tiny_model

CPU = torch.device("cpu")


@pytest.fixture
def says(monkeypatch):
    """What every measurement finds from now on, as in a new process; returns those that were made."""
    made = []

    def say(ratio):
        measuring._on_cpu.cache_clear()
        monkeypatch.setattr(measuring, "measured", lambda config: made.append(config) or ratio)
        return made

    yield say
    measuring._on_cpu.cache_clear()


@pytest.mark.parametrize(("ratio", "expected"), [(1.7, "bf16"), (1.05, "fp32"), (0.3, "fp32")])
def test_what_rounds_more_has_to_win_by_a_margin_and_is_remembered(home, tiny, says, ratio, expected):
    made, digest = says(ratio), base_digest(str(tiny))
    assert remembered(digest) is None
    assert fastest(tiny, digest, CPU) == expected
    says(10.0 if expected == "fp32" else 0.1)
    assert fastest(tiny, digest, CPU) == expected
    assert made == [json.loads((tiny / "config.json").read_text())]
    assert remembered(digest).precision == expected
    assert f"{ratio:.2f} times as fast" in remembered(digest).reason


def test_another_processor_torch_base_or_instructions_are_measured_anew(home, tiny, says, monkeypatch):
    made = says(1.7)
    fastest(tiny, "a base", CPU)
    for change in (
        lambda: monkeypatch.setattr(measuring, "processor", lambda: "another one"),
        lambda: monkeypatch.setattr(measuring, "version", lambda package: "99"),
        lambda: monkeypatch.setenv("ATEN_CPU_CAPABILITY", "of another processor"),
        lambda: None,
    ):
        change()
        fastest(tiny, "a base", CPU)
    fastest(tiny, "another", CPU)
    assert len(made) == 5
    assert len(json.loads((home / MEMO).read_text())) == 5


def test_a_damaged_memo_is_written_again_and_a_home_that_cannot_be_written_to_is_no_error(home, tiny, says):
    made = says(1.7)
    (home / MEMO).parent.mkdir(parents=True, exist_ok=True)
    (home / MEMO).write_text("[1")
    assert fastest(tiny, "a base", CPU) == "bf16"
    assert remembered("a base").ratio == 1.7
    (home / MEMO).unlink()
    (home / MEMO).mkdir()
    says(1.7)
    assert [fastest(tiny, "a base", CPU) for _ in range(3)] == ["bf16"] * 3
    assert len(made) == 2


def test_a_model_whose_shape_cannot_be_read_is_left_to_loading(home, tmp_path):
    (tmp_path / "config.json").write_text('{"hidden_size": "many"}')
    assert fastest(tmp_path, "damaged", CPU) == "fp32"
    assert remembered("damaged") is None


@pytest.mark.parametrize("slow", [torch.float32, torch.bfloat16])
def test_the_ratio_is_that_of_the_times(tiny, monkeypatch, slow):
    forward = MLP.forward

    def slower(self, x):
        began = time.process_time()
        while x.dtype is slow and time.process_time() < began + 0.02:
            pass
        return forward(self, x)

    monkeypatch.setattr(MLP, "forward", slower)
    threads = torch.get_num_threads()
    ratio = measured(json.loads((tiny / "config.json").read_text()))
    assert torch.get_num_threads() == threads
    assert ratio > 2 if slow is torch.float32 else ratio < 0.5


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_layer_to_measure(family, tmp_path):
    assert measured(json.loads((tiny_model(tmp_path, family) / "config.json").read_text())) > 0


def test_a_collection_goes_on_in_what_it_was_read_in(home, tiny, says, monkeypatch):
    monkeypatch.setenv("INFINIDOC_PRECISION", "auto")
    for name in ("one.txt", "two.txt"):
        (home.parent / "work" / name).write_text(f"The lighthouse keeper wrote {name} into a long green book. " * 30)
    says(1.7)
    with Collection.open("green", str(tiny)) as collection:
        collection.ingest(["one.txt"])
        assert collection.store.identity.precision == "bf16"
    says(0.3)
    (home / MEMO).unlink()
    with Collection.open("green", str(tiny)) as collection:
        collection.ingest(["two.txt"])
        assert collection.load(to_write=True).precision == "bf16"
        assert collection.store.identity.precision == "bf16"
        assert collection.load().precision in ("bf16", "fp32")
    with Collection.open("blue", str(tiny)) as collection:
        collection.ingest(["two.txt"])
        assert collection.store.identity.precision == "fp32"
