"""Tiny random models with a real little tokenizer, for tests that need a model's shape and not its wits."""

import os
import shutil
from pathlib import Path
from typing import Any

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma3", "smollm3", "phi3", "granite", "olmo2")

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CORPUS = [
    "The lighthouse keeper wrote the number of every passing ship into a long green book.",
    "What is the name of the ship? The name of the ship is Amalia, and she carries grain and wine.",
    "system user assistant question answer document passage source page line memory model",
    "def main():\n    for item in items:\n        if item > 12:\n            return    12   5\n\tprint(item)\n\n\n",
    "Ein kurzer Satz über Käse, ein zweiter über Brücken. Un café, déjà vu, naïve façade.",
] * 3

# What a family needs beside the common sizes. A default `sliding_window` is wider than any test's text.
EXTRA: dict[str, dict[str, Any]] = {
    "llama": {"tie_word_embeddings": True},
    "qwen3": {"head_dim": 16},
    "gemma3": {
        "head_dim": 16,
        "query_pre_attn_scalar": 16,
        "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
    },
    "smollm3": {"no_rope_layers": [1, 1, 0]},  # the last layer has no positions at all
    "granite": {
        "attention_multiplier": 0.2,
        "embedding_multiplier": 2.0,
        "residual_multiplier": 0.5,
        "logits_scaling": 2.0,
    },
}


def tiny_tokenizer(folder: Path) -> Path:
    """Train and save a byte-level BPE tokenizer of 400 tokens made like SmolLM2's: digits one by one, chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)
    return folder


def tiny_config(family: str = "llama", vocab_size: int = 400, **overrides: Any) -> Any:
    """A `transformers` config: 3 layers, 4 heads of 16, 2 KV heads."""
    from transformers import AutoConfig

    name = "gemma3_text" if family == "gemma3" else family
    sizes = {
        "vocab_size": vocab_size,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        # Wide enough for attention to be far from uniform, so that a wrong mask or position shows in the logits.
        "initializer_range": 0.2,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }
    return AutoConfig.for_model(name, **{**sizes, **EXTRA.get(family, {}), **overrides})


def tiny_model(folder: Path, family: str = "llama", seed: int = 0, **overrides: Any) -> Path:
    """Write a directory that `from_pretrained` loads: random float32 weights and the tiny tokenizer.

    `overrides` go into the config. The same arguments give the same weights.
    """
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    tiny_tokenizer(folder)
    config = tiny_config(family, **overrides)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        for parameter in model.parameters():
            if parameter.dim() == 1:  # biases and norms start as 0 and 1: nobody would miss them
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    weights = model.state_dict()
    if config.tie_word_embeddings:
        weights.pop("lm_head.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config.architectures = [type(model).__name__]
    config.dtype = torch.float32
    config.save_pretrained(folder)
    model.generation_config.eos_token_id = [2, 0]
    model.generation_config.save_pretrained(folder)
    return folder


# Where `make` keeps the real model; read before a fixture points INFINIDOC_HOME elsewhere.
REAL_HOME = Path(os.environ.get("INFINIDOC_HOME") or Path(__file__).parents[1] / ".cache" / "infinidoc").resolve()


def share_real_models(home: Path) -> None:
    """Let a test's own INFINIDOC_HOME use the real, already converted model, and know its digest."""
    (home / "models").mkdir(parents=True)
    for real in (REAL_HOME / "models").glob("[!.]*"):
        if real.is_dir():
            (home / "models" / real.name).symlink_to(real)
        elif real.name == "digests.json":
            shutil.copy(real, home / "models")
