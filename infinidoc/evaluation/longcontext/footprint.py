"""Bytes that a model keeps of what it has read, against how much that was: arithmetic, from the formulas of Table 1 of
the Infini-attention paper (arXiv 2404.07143). Counts are of numbers, not bytes, unless a name says bytes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from infinidoc.model.adapters import DEFAULT_KERNEL, choose, load
from infinidoc.model.catalogue import base_name, describe, digest, ensure

HALF = 2  # bytes of a number in other models' caches: half precision, as they are served
ADDRESS_BYTES = 128  # per token, of infinidoc's addresses
PAPER_SEGMENT = 2_048
KNN_TOKENS = 65_000  # "65K": with 65,000 the paper's 183M come out, with 65,536 they would be 185M
SOFT_PROMPT = 100  # summary vectors of the paper's best RMT
COMPRESSED = 2_048  # slots of the Compressive Transformer's second memory: as many as its first has


@dataclass(frozen=True)
class Shape:
    """A decoder: l layers, H heads that keys and values have, d_key, d_value, d_model."""

    layers: int
    heads: int
    key: int
    value: int
    model: int


PAPER = Shape(layers=12, heads=8, key=128, value=128, model=1_024)  # the model of the paper's Table 2


def full_attention(shape: Shape, tokens: int) -> int:
    """The KV cache: keys and values of every token, in every layer."""
    return (shape.key + shape.value) * shape.heads * tokens * shape.layers


def transformer_xl(shape: Shape, segment: int = PAPER_SEGMENT) -> int:
    """(d_key + d_value) · H · N · l: the last segment's keys and values."""
    return (shape.key + shape.value) * shape.heads * segment * shape.layers


def compressive_transformer(shape: Shape, segment: int = PAPER_SEGMENT, compressed: int = COMPRESSED) -> int:
    """d_model · (c + N) · l: the last segment's states and compressed older ones."""
    return shape.model * (compressed + segment) * shape.layers


def memorizing_transformer(shape: Shape, tokens: int, segment: int = PAPER_SEGMENT) -> int:
    """(d_key + d_value) · H · N · S: keys and values of all tokens in one layer, up to the 65K of the kNN memory; and
    the Transformer-XL cache that the model has as well."""
    return (shape.key + shape.value) * shape.heads * min(tokens, KNN_TOKENS) + transformer_xl(shape, segment)


def recurrent_memory(shape: Shape, vectors: int = SOFT_PROMPT) -> int:
    """RMT: d_model · p · l · 2."""
    return shape.model * vectors * shape.layers * 2


def infini_transformer(shape: Shape) -> int:
    """d_key · (d_value + 1) · H · l: M and z of every head."""
    return shape.key * (shape.value + 1) * shape.heads * shape.layers


def paper_check() -> dict[str, Any]:
    """The paper's "114x less memory", recomputed for its own setting.

    183M over 1.6M, both rounded as Table 2 prints them, are 114; unrounded they are a little more.
    """
    others = memorizing_transformer(PAPER, KNN_TOKENS)
    ours = infini_transformer(PAPER)
    return {
        "memorizing_transformer": others,
        "transformer_xl": transformer_xl(PAPER),
        "rmt": recurrent_memory(PAPER),
        "infini_transformer": ours,
        "ratio": others / ours,
        "ratio_of_rounded": round(others / 1e6) / round(ours / 1e6, 1),
        "published_ratio": 114,
    }


@dataclass(frozen=True)
class Memory:
    """What infinidoc keeps for a model: `state` numbers, of `width` bytes each."""

    state: int
    width: int


def rows(shape: Shape, memory: Memory, lengths: Sequence[int]) -> list[dict[str, Any]]:
    """{"length", "system", "numbers", "bytes"} for a model of this shape, after so many tokens.

    Other models' numbers take two bytes (half precision); ours what they take on the disk.
    """
    found = []
    for length in lengths:
        others = {
            "full attention": full_attention(shape, length),
            "Memorizing Transformer, 65K + 2K": memorizing_transformer(shape, length),
            "Transformer-XL, 2K": transformer_xl(shape),
            "Compressive Transformer, 2K + 2K": compressive_transformer(shape),
            "RMT, 100 vectors": recurrent_memory(shape),
            "Infini-Transformer": infini_transformer(shape),
        }
        sizes = {name: (numbers, numbers * HALF) for name, numbers in others.items()}
        state = memory.state * memory.width
        sizes["infinidoc, state"] = memory.state, state
        sizes["infinidoc, state and addresses"] = memory.state + ADDRESS_BYTES * length, state + ADDRESS_BYTES * length
        for name, (numbers, count) in sizes.items():
            found.append({"length": length, "system": name, "numbers": numbers, "bytes": count})
    return found


def of(model: str | None, adapter: str | None) -> tuple[Shape, Memory, dict[str, Any]]:
    """The shape of a base model, what its memory takes with an adapter's kernel, and how a result names them.

    From configs and metadata: no weights are loaded.

    Raises InfinidocError for a model or an adapter that isn't here.
    """
    import torch

    from infinidoc.model.kernels import KERNELS

    card = describe(base_name(model), ensure(model))
    hidden = json.loads((card.path / "config.json").read_bytes())["hidden_size"]
    shape = Shape(card.layers, card.kv_heads, card.head_dim, card.head_dim, hidden)
    identity = digest(card.path)
    chosen = choose(identity, adapter)
    kernel = KERNELS[chosen.kernel if chosen else DEFAULT_KERNEL]
    state = kernel.empty(1, shape.heads, shape.key, shape.value, torch.device("meta"))
    sums = [tensor for name, tensor in state.tensors().items() if name != "tokens"]
    above = chosen.last_layer + 1 if chosen and chosen.last_layer is not None else shape.layers
    remembering = above - (chosen.first_layer if chosen else 0)
    memory = Memory(sum(tensor.numel() for tensor in sums) * remembering, sums[0].element_size())
    return (
        shape,
        memory,
        {
            "benchmark": "memory",
            "model": {"name": card.name, "digest": identity},
            "adapter": {"name": chosen.name, "digest": load(chosen).digest} if chosen else None,
            "kernel": kernel.name,
            "version": version("infinidoc"),
        },
    )
