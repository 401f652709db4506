"""The write gate of slots: what it is fitted to, that the solution is one, and where it is put."""

import lzma

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from infinidoc.errors import InfinidocError
from infinidoc.model.adapters import SLOTS_FILE
from infinidoc.model.attention import CompressiveMemory, attach, attention_modules
from infinidoc.model.base import load_base
from infinidoc.model.loading import load
from infinidoc.model.slots import SINKS
from infinidoc.training.books import Books
from infinidoc.training.run import train_write_gate
from infinidoc.training.write_gate import Settings, Sums, fit, looked_at


@pytest.fixture
def base(tiny):
    base = load_base(str(tiny))
    attach(base.model)
    return base


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    with lzma.open(folder / "book.jsonl.xz", "wt", encoding="utf-8") as file:
        file.write('{"title": "A book", "text": "%s"}\n' % ("The ship carries grain, and the keeper writes. " * 60))
    return folder


def test_targets_are_the_attention_of_the_second_half(base, tiny):
    ids = torch.randint(3, 400, (1, 40), generator=torch.Generator().manual_seed(0))
    model = AutoModelForCausalLM.from_pretrained(tiny, attn_implementation="eager").eval()
    with torch.no_grad():
        attentions = model(ids, output_attentions=True).attentions
        entering = model.model.layers[0].input_layernorm(model.model.embed_tokens(ids))[0, SINKS:20]
        found = looked_at(base, ids)
    assert len(found) == len(attentions)
    for (_, target), weights in zip(found, attentions, strict=True):  # (1, 4 heads of 2 groups, 40, 40)
        expected = weights[0].view(2, 2, 40, 40)[:, :, 20:, SINKS:20].mean(2).sum(1).log().T
        torch.testing.assert_close(target, expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found[0][0][:, :-1], entering, rtol=1e-4, atol=1e-4)


def test_a_linear_truth_is_found_and_explained_and_noise_is_not():
    generator = torch.Generator().manual_seed(0)
    x = torch.nn.functional.pad(torch.randn(400, 8, generator=generator), (0, 1), value=1.0)
    truth, noise = torch.randn(9, 2, generator=generator), torch.randn(400, 2, generator=generator)
    for target, share in ((x @ truth, 1.0), (noise, 0.0)):
        fitted, held = Sums(9, 2, x.device), Sums(9, 2, x.device)
        fitted.add(x[:100], target[:100])
        fitted.add(x[100:300], target[100:300])
        held.add(x[300:], target[300:])
        found = fitted.solved(1e-6)
        assert held.explained(found).tolist() == pytest.approx([share] * 2, abs=0.15)
        if share:
            torch.testing.assert_close(found, truth, rtol=1e-3, atol=1e-3)


def test_what_is_foreseen_is_what_other_text_looks_at(base):
    rng = np.random.default_rng(0)
    books = Books({"book": (3 + rng.integers(0, 40, 4000)).astype(np.int32)})
    seen = []
    gates = fit(base, books, Settings(excerpts=12, length=128), seen.append)
    assert seen == list(range(1, 13))
    assert 0.2 < gates.explained <= 1
    with pytest.raises(InfinidocError, match="no book is as long"):
        fit(base, books, Settings(length=5000))


def test_it_is_written_beside_what_else_slots_have_and_loaded_for_them(tiny, library, tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    save_file({"other": torch.ones(2)}, out / SLOTS_FILE)
    card = train_write_gate(str(tiny), out, library, excerpts=3, length=64)
    assert card.parts == ["slots"]
    written = load_file(out / SLOTS_FILE)
    assert torch.equal(written.pop("other"), torch.ones(2))
    assert len(written) == 2 * 3
    (out / SLOTS_FILE).unlink()
    train_write_gate(str(tiny), out, library, excerpts=3, length=64)
    base, _ = load(str(tiny), str(out), slots=True)
    for layer, module in enumerate(attention_modules(base.model)):
        assert torch.equal(module.infini.keep_weight, written[f"layers.{layer}.infini.keep_weight"])
    memory = CompressiveMemory(base.model, slots=8, keep=("learnt", "residual"))
    base.model(torch.arange(3, 40)[None], past_key_values=memory)
    memory.fold()
    assert memory.slots[0].keys.shape[2] == 8
    plain, _ = load(str(tiny), str(out))
    with pytest.raises(InfinidocError, match="no write gate"):
        CompressiveMemory(plain.model, slots=8, keep=("learnt",))
