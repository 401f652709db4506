"""Tiny models as llama.cpp writes them."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from infinidoc.model.gguf import HF_NAMES


def permute(weights: torch.Tensor, heads: int) -> torch.Tensor:
    """What llama.cpp's converter does to q and k."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weights.shape)


def write_gguf(model: Path, file: Path) -> None:
    """A tiny llama or qwen2 as llama.cpp would write it, unquantised. The last token of a qwen2 is a padding row."""
    from gguf import GGUFWriter

    config = json.loads((model / "config.json").read_text())
    family = config["model_type"]
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    template = AutoTokenizer.from_pretrained(model).chat_template
    writer = GGUFWriter(file, family)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    tokens = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    kinds = [3 if n < 3 else 1 for n in range(len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre({"llama": "smollm", "qwen2": "qwen2"}[family])
    if family == "llama":
        writer.add_unk_token_id(0)
    else:
        tokens.append("[PAD400]")
        kinds = [*kinds, 5]
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(merge) for merge in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template(template)
    names = {value: key for key, value in HF_NAMES.items()}
    for name, weights in load_file(model / "model.safetensors").items():
        path, kind = name.rsplit(".", 1)
        if path.startswith("model.layers."):
            layer, part = path.removeprefix("model.layers.").split(".", 1)
            if family == "llama" and part.endswith("q_proj"):
                weights = permute(weights, config["num_attention_heads"])
            if family == "llama" and part.endswith("k_proj"):
                weights = permute(weights, config["num_key_value_heads"])
            writer.add_tensor(f"blk.{layer}.{names[part]}.{kind}", weights.numpy())
        else:
            writer.add_tensor(f"{names[path]}.{kind}", weights.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
