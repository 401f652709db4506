"""A GGUF of the llama or qwen2 family, written as a directory that `from_pretrained` can load."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

HF_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
ARCHITECTURES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# `tokenizer.ggml.pre` → normalizer, pre-tokenizers. A GGUF names them only, and transformers' own conversion loses
# that of "smollm": every digit is a token.
SPLITS: dict[str, tuple[Any, list[Any]]] = {
    "smollm": (None, [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL]),
    "qwen2": (
        {"type": "NFC"},
        [
            {"type": "Split", "pattern": {"Regex": QWEN2_WORDS}, "behavior": "Isolated", "invert": False},
            {**BYTE_LEVEL, "use_regex": False},
        ],
    ),
}
CONTROL, USER_DEFINED, UNUSED = 3, 4, 5  # `tokenizer.ggml.token_type`


def convert(
    source: Path,
    folder: Path,
    dtype: Literal["float32", "float16"],
    progress: Callable[[int, int], None],
) -> None:
    """Make `folder`: the weights dequantised, matrices in `dtype`, norms and biases in float32, and the JSON files.

    `progress` is called with the number of tensors done and in all.
    """
    import numpy as np
    from gguf import GGUFReader
    from gguf.quants import dequantize
    from safetensors.numpy import save_file

    folder.mkdir()
    reader = GGUFReader(source)
    meta = {name: field.contents() for name, field in reader.fields.items()}
    # llama.cpp stores q and k of a llama in another order of rows than transformers, those of a qwen2 in the same.
    permuted = {"attn_q": "head_count", "attn_k": "head_count_kv"} if meta["general.architecture"] == "llama" else {}
    tensors: dict[str, Any] = {}
    for done, tensor in enumerate(reader.tensors):
        weights = dequantize(tensor.data, tensor.tensor_type)
        part = tensor.name.split(".")[-2]
        if part in permuted:
            weights = _unpermute(weights, meta[f"llama.attention.{permuted[part]}"])
        kind = dtype if weights.ndim > 1 else "float32"
        tensors[_hf_name(tensor.name)] = np.ascontiguousarray(weights, dtype=kind)
        progress(done + 1, len(reader.tensors))
    contents = {
        "config.json": _config(meta, dtype, tied="lm_head.weight" not in tensors),
        "generation_config.json": _generation_config(meta),
        "tokenizer.json": _tokenizer(meta),
        "tokenizer_config.json": _tokenizer_config(meta),
    }
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    shutil.copymode(folder / "config.json", folder / "model.safetensors")  # save_file writes for the owner alone


def _unpermute(weights: Any, heads: int) -> Any:
    """llama.cpp rotates neighbouring dimensions, transformers the halves of a head: (d·2, in) → (2·d, in) per head."""
    out, inner = weights.shape
    return weights.reshape(heads, out // heads // 2, 2, inner).swapaxes(1, 2).reshape(out, inner)


def _hf_name(name: str) -> str:
    """blk.3.attn_q.weight → model.layers.3.self_attn.q_proj.weight"""
    *layer, part, kind = name.split(".")
    prefix = f"model.layers.{layer[1]}." if layer else ""
    return f"{prefix}{HF_NAMES[part]}.{kind}"


def _config(meta: dict[str, Any], dtype: str, *, tied: bool) -> dict[str, Any]:
    family = meta["general.architecture"]
    return {
        "architectures": [ARCHITECTURES[family]],
        "model_type": family,
        "dtype": dtype,
        "hidden_act": "silu",
        "hidden_size": meta[f"{family}.embedding_length"],
        "intermediate_size": meta[f"{family}.feed_forward_length"],
        "max_position_embeddings": meta[f"{family}.context_length"],
        "num_attention_heads": meta[f"{family}.attention.head_count"],
        "num_hidden_layers": meta[f"{family}.block_count"],
        "num_key_value_heads": meta[f"{family}.attention.head_count_kv"],
        "rms_norm_eps": round(meta[f"{family}.attention.layer_norm_rms_epsilon"], 12),
        "rope_theta": meta[f"{family}.rope.freq_base"],
        "tie_word_embeddings": tied,
        "vocab_size": len(meta["tokenizer.ggml.tokens"]),
        **_special_ids(meta),
    }


def _special_ids(meta: dict[str, Any]) -> dict[str, int]:
    return {
        "bos_token_id": meta["tokenizer.ggml.bos_token_id"],
        "eos_token_id": meta["tokenizer.ggml.eos_token_id"],
        "pad_token_id": meta["tokenizer.ggml.padding_token_id"],
    }


def _generation_config(meta: dict[str, Any]) -> dict[str, Any]:
    ids = _special_ids(meta)
    # The end of a turn, and the end of a text: the model was pretrained to stop at the latter.
    ends = [ids["eos_token_id"], meta["tokenizer.ggml.tokens"].index("<|endoftext|>")]
    return {**ids, "eos_token_id": ends}


def _tokenizer(meta: dict[str, Any]) -> dict[str, Any]:
    """Byte-level BPE as `tokenizers` reads it."""
    tokens, kinds = meta["tokenizer.ggml.tokens"], meta["tokenizer.ggml.token_type"]
    normalizer, splits = SPLITS[meta["tokenizer.ggml.pre"]]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": n,
                "content": tokens[n],
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": kind == CONTROL,
            }
            for n, kind in enumerate(kinds)
            if kind in (CONTROL, USER_DEFINED)
        ],
        "normalizer": normalizer,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": splits},
        "post_processor": None,
        "decoder": BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            # Unused ones only pad the matrices to a round number of rows.
            "vocab": {token: n for n, token in enumerate(tokens) if kinds[n] != UNUSED},
            "merges": [merge.split(" ") for merge in meta["tokenizer.ggml.merges"]],
        },
    }


def _tokenizer_config(meta: dict[str, Any]) -> dict[str, Any]:
    tokens = meta["tokenizer.ggml.tokens"]
    named = {"bos": "bos", "eos": "eos", "padding": "pad", "unknown": "unk"}
    ids = {short: meta.get(f"tokenizer.ggml.{name}_token_id") for name, short in named.items()}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": meta[f"{meta['general.architecture']}.context_length"],
        **{f"{short}_token": tokens[n] for short, n in ids.items() if n is not None},
        "chat_template": meta["tokenizer.chat_template"],
        "clean_up_tokenization_spaces": False,
    }
