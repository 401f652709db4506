"""Keys of texts."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from infinidoc.manyshot import keys as module
from infinidoc.manyshot.keys import Keys
from infinidoc.model.base import load_base


@pytest.fixture(scope="module")
def base(tiny):
    return load_base(str(tiny))


def test_keys_are_unit_vectors_of_all_layers(base):
    keys = Keys(base)
    found = keys(["a green book", "wine"])
    assert found.shape == (2, len(keys.layers) * 64)
    torch.testing.assert_close(found.norm(dim=-1), torch.ones(2))
    assert found.dtype == torch.float32


def test_they_dont_depend_on_their_neighbours(base, monkeypatch):
    texts = ["wine", "the name of the ship is Amalia", "", "every passing ship " * 300, "wine"]
    keys = Keys(base)
    together = keys(texts)
    monkeypatch.setattr(module, "BATCH_TOKENS", 1)
    alone = torch.cat([keys([text]) for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together[0], together[4])


def test_a_text_longer_than_a_segment_is_the_mean_over_all_of_it(base, monkeypatch):
    keys = Keys(base)
    monkeypatch.setattr(module, "SEGMENT", 4)
    ids = base.encode("the keeper wrote the number of every ship")
    pieces = [ids[first : first + 4] for first in range(0, len(ids), 4)]
    start = len(base.start)
    states = [keys._states(torch.tensor([[*base.start, *piece]]))[:, 0, start:] for piece in pieces]
    expected = torch.cat(states, 1).mean(1)
    torch.testing.assert_close(keys._pooled(["the keeper wrote the number of every ship"])[0], expected)


def test_white_space_makes_no_difference(base):
    keys = Keys(base)
    assert torch.equal(keys(["  a  green\n\tbook "]), keys(["a green book"]))


def test_states_are_those_that_enter_the_layers(base):
    keys = Keys(base)
    ids = torch.tensor([[*base.start, *base.encode("a green book")]])
    whole = AutoModelForCausalLM.from_pretrained(base.path)(ids, output_hidden_states=True).hidden_states
    for layer, states in zip(keys.layers, keys._states(ids), strict=True):
        torch.testing.assert_close(states, whole[layer])
    assert len(base.model.get_decoder().layers) == 3  # the model is as it was
