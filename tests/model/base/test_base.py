"""Loading base models, and one clear line where that can't be done."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from infinidoc.errors import InfinidocError
from infinidoc.model import base
from infinidoc.model.base import load_base
from infinidoc.model.catalogue import describe
from tests.model.base.bases import complaint, edit
from tests.tiny import FAMILIES, tiny_model


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_loads_frozen(family: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tiny_model(tmp_path / family, family)
    capfd.readouterr()
    loaded = load_base(str(folder))
    assert capfd.readouterr() == ("", "")
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    assert loaded.device.type == loaded.model.device.type
    assert loaded.dtype == loaded.model.dtype == torch.float32

    text = "The name of the ship: <|im_end|> 12   5"
    ids = loaded.encode(text)
    assert ids == loaded.tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
    theirs = AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        assert torch.equal(loaded.model(torch.tensor([ids])).logits, theirs(torch.tensor([ids])).logits)

    card, config = describe("tiny", folder), theirs.config
    assert card.family == family
    assert card.parameters == sum(parameter.numel() for parameter in theirs.parameters())
    assert (card.layers, card.heads, card.kv_heads, card.head_dim) == (3, 4, 2, 16)
    assert (card.vocabulary, card.context) == (config.vocab_size, config.max_position_embeddings)
    assert card.dtype == "float32"


def test_the_tokenizer_is_the_models_own(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As its tokenizer.json has it, whatever class its config names."""
    edit(model / "tokenizer_config.json", tokenizer_class="GPT2Tokenizer")
    loaded = load_base(str(model))
    assert capfd.readouterr() == ("", "")
    assert loaded.tokenizer.tokenize("1234") == ["1", "2", "3", "4"]
    chat = loaded.tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert chat == "<|im_start|>user\nhi<|im_end|>\n"


def test_dtype_and_device_can_be_asked_for(model: Path) -> None:
    loaded = load_base(str(model), device="cpu", dtype=torch.bfloat16)
    assert loaded.dtype == loaded.model.dtype == torch.bfloat16


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there(model: Path) -> None:
    assert complaint(lambda: load_base(str(model), device="cuda")).startswith("no device cuda here (")
    assert complaint(lambda: load_base(str(model), device="toaster")).startswith("no device toaster here (")


# Directories that can't be a base


def test_a_name_that_is_nothing(tmp_path: Path) -> None:
    for name in ("nothing", str(tmp_path / "nothing"), "a/b/c", "../up"):
        assert complaint(lambda name=name: load_base(name)).startswith(f"no model {name}: give a directory, a hub id")


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_file_is_missing(model: Path, file: str) -> None:
    (model / file).unlink()
    assert complaint(lambda: load_base(str(model))).startswith(f"no {file} in {model}: ")


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("keep", [0, 7, 500])
def test_a_file_is_cut_off(model: Path, file: str, keep: int) -> None:
    (model / file).write_bytes((model / file).read_bytes()[:keep])
    message = complaint(lambda: load_base(str(model)))
    assert message.startswith((f"{model / file} is damaged (", f"can't load {model} ("))


@pytest.mark.parametrize(
    "content", ["[]", '{"model_type": "llama"}', '{"model_type": "llama", "num_attention_heads": null}']
)
def test_a_config_that_says_too_little(model: Path, content: str) -> None:
    (model / "config.json").write_text(content)
    assert complaint(lambda: load_base(str(model))).startswith(f"{model / 'config.json'} is damaged (")


@pytest.mark.parametrize("family", ["bert", "gpt2", "gemma3", "t5", None])
def test_a_family_that_infinidoc_does_not_know(model: Path, family: str | None) -> None:
    edit(model / "config.json", model_type=family)
    message = complaint(lambda: load_base(str(model)))
    assert message.startswith(f"{model} is of the family {family}: infinidoc knows gemma3_text, granite, llama,")


def test_weights_are_missing(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, model / "model.safetensors")
    message = complaint(lambda: load_base(str(model)))
    assert message.startswith(f"{model} lacks weights, model.layers.1.mlp.up_proj.weight among them")


def test_weights_of_another_shape(model: Path) -> None:
    edit(model / "config.json", intermediate_size=100)
    assert complaint(lambda: load_base(str(model))).startswith(f"can't load {model} (")


def test_a_tokenizer_of_another_model(model: Path) -> None:
    edit(model / "config.json", vocab_size=300)
    weights = load_file(model / "model.safetensors")
    weights["model.embed_tokens.weight"] = weights["model.embed_tokens.weight"][:300].clone()
    save_file(weights, model / "model.safetensors")
    assert complaint(lambda: load_base(str(model))).startswith(
        f"the tokenizer of {model} has more tokens than the model"
    )


def shard(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, part in parts.items():
        save_file({name: weights[name] for name in part}, model / file, metadata={"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, part in parts.items() for name in part}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))


def test_weights_in_several_files(model: Path) -> None:
    whole = load_base(str(model)).model.state_dict()
    parameters = describe("x", model).parameters
    shard(model)
    assert describe("x", model).parameters == parameters
    for name, tensor in load_base(str(model)).model.state_dict().items():
        assert torch.equal(tensor, whole[name])
    (model / "model-2.safetensors").unlink()
    assert complaint(lambda: load_base(str(model))).startswith(f"no model-2.safetensors in {model}: ")
    (model / "model.safetensors.index.json").write_text("{}")
    assert complaint(lambda: load_base(str(model))).startswith(f"{model / 'model.safetensors.index.json'} is damaged (")


@pytest.mark.real
def test_the_real_model_starts_quickly(real_base: base.BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a second once torch and transformers are there: 900,000 calls, and no file is hashed again."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    monkeypatch.setattr(hashlib, "file_digest", None)
    sys.setprofile(count)
    try:
        load_base()
    finally:
        sys.setprofile(None)
    assert calls < 2_000_000


def test_segments_start_with_what_separated_documents_in_pretraining(tiny, real_base):
    """SmolLM2's tokenizer adds no BOS of its own."""
    assert load_base(str(tiny)).start == [0]
    assert real_base.start == [real_base.tokenizer.convert_tokens_to_ids("<|endoftext|>")] == [0]


def test_precision_from_the_environment(tiny, monkeypatch):
    monkeypatch.setenv("INFINIDOC_PRECISION", "bf16")
    assert load_base(str(tiny)).model.dtype is torch.bfloat16
    monkeypatch.setenv("INFINIDOC_PRECISION", "fp8")
    with pytest.raises(InfinidocError, match="INFINIDOC_PRECISION is fp8: choose fp32, bf16 or int8"):
        load_base(str(tiny))
