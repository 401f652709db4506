"""What a run keeps for the next: values, and memories on their way."""

import torch

from infinidoc.evaluation.ledger import Ledger
from infinidoc.model.kernels import State

SETTINGS = {"benchmark": "passkey", "seed": 0, "adapter": {"digest": "a"}}


def states():
    return [State(torch.rand(1, 2, 4, 4).double(), torch.rand(1, 2, 4, 4).double(), torch.tensor([7.0])) for _ in "ab"]


def test_values_are_there_for_the_same_settings_only(home):
    ledger = Ledger(SETTINGS)
    assert ledger.get("4096") is None
    ledger.put("4096", {"accuracy": 0.5})
    assert Ledger(dict(reversed(SETTINGS.items()))).get("4096") == {"accuracy": 0.5}
    for other in ({"seed": 1}, {"adapter": {"digest": "b"}}, {"benchmark": "needle"}):
        assert Ledger({**SETTINGS, **other}).get("4096") is None
    assert [file.parent for file in home.rglob("passkey-*")] == [home / "bench"]


def test_a_damaged_ledger_is_an_empty_one():
    ledger = Ledger(SETTINGS)
    ledger.put("4096", 1)
    ledger.file.write_text('{"4096": ')
    assert Ledger(SETTINGS).get("4096") is None


def test_a_checkpoint_is_the_state_to_the_last_bit():
    checkpoint = Ledger(SETTINGS).checkpoint("1m")
    assert checkpoint.load() == (0, None)
    saved = states()
    checkpoint.save(12, saved)
    done, loaded = Ledger(SETTINGS).checkpoint("1m").load()
    assert done == 12
    for a, b in zip(saved, loaded, strict=True):
        for name, tensor in a.tensors().items():
            assert torch.equal(tensor, b.tensors()[name])
    checkpoint.remove()
    assert checkpoint.load() == (0, None)


def test_a_damaged_checkpoint_means_starting_over():
    checkpoint = Ledger(SETTINGS).checkpoint("1m")
    checkpoint.save(12, states())
    checkpoint.file.write_bytes(checkpoint.file.read_bytes()[:100])
    assert checkpoint.load() == (0, None)
