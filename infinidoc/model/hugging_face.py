"""Decoders of `transformers`, for the families that `decoder.py` doesn't compute: loading, attention, generation.

Three hooks attach infini-attention to one, none of them a fork: an attention function and a mask function under one
name, and a pre-hook per attention module that hands over the cache, the hidden states and the rotation. Importing this
takes seconds.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from torch import Tensor
from transformers import PreTrainedModel, StoppingCriteria
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

if TYPE_CHECKING:
    from infinidoc.model.attention import CompressiveMemory

NAME = "infini"


def load(path: Path, model_class: str, dtype: torch.dtype) -> PreTrainedModel:
    """Raises KeyError with the name of a weight that is missing, and whatever else `transformers` raises."""
    model, report = getattr(transformers, model_class).from_pretrained(
        path, dtype=dtype, use_safetensors=True, local_files_only=True, output_loading_info=True
    )
    if report["missing_keys"]:
        raise KeyError(min(report["missing_keys"]))
    return model


def hook(model: Any, attention: Callable[..., Tensor]) -> None:
    """Has a decoder attend through `attention` (see `infini_attention`) where its cache is a `CompressiveMemory`."""

    def attend(
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        infini: Any = None,
        **options: Any,
    ) -> tuple[Tensor, None]:
        def own(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
            return sdpa_attention_forward(module, query, key, value, mask, **options)[0]

        if infini is None:
            return own(query, key, value), None
        mixed = attention(
            module, query, key, value, infini, own, options.get("scaling"), mask, options.get("sliding_window")
        )
        return mixed, None

    ALL_ATTENTION_FUNCTIONS.register(NAME, attend)
    ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, sdpa_mask)
    if model.config._attn_implementation != NAME:
        for layer in model.get_decoder().layers:
            layer.self_attn.register_forward_pre_hook(_hand_over, with_kwargs=True)
        model.set_attn_implementation(NAME)


def _hand_over(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    cache: Any = kwargs.get("past_key_values")
    if hasattr(cache, "inputs"):  # a `CompressiveMemory`
        hidden = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        rotation = kwargs.get("position_embeddings") if getattr(module, "use_rope", True) else None
        kwargs["infini"] = cache.inputs(module.layer_idx, hidden, rotation)
    return args, kwargs


def turn_of(decoder: Any, layer: int) -> Callable[[Tensor, torch.dtype], tuple[Tensor, Tensor] | None]:
    """How a layer rotates positions (N): cos and sin (1, N, R), or None where it doesn't."""
    module, rotary = decoder.layers[layer].self_attn, getattr(decoder, "rotary_emb", None)

    def turn(positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor] | None:
        if rotary is None or not getattr(module, "use_rope", True):
            return None
        like = torch.empty(0, dtype=dtype, device=positions.device)
        # Some families have another base in layers with a sliding window.
        typed = "layer_type" in inspect.signature(rotary.forward).parameters
        cos, sin = rotary(like, positions[None], *([decoder.config.layer_types[layer]] if typed else []))
        return cos, sin

    return turn


class _Heard(StoppingCriteria):
    def __init__(self, hear: Callable[[Tensor], Any]):
        self.hear = hear

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        return torch.full((len(input_ids),), bool(self.hear(input_ids[:, -1])), device=input_ids.device)


def generate(
    model: PreTrainedModel,
    tokens: Tensor,
    memory: "CompressiveMemory",
    max_tokens: int,
    hear: Callable[[Tensor], Any],
) -> Tensor:
    """See `decoding.generate`."""
    padding = model.generation_config.pad_token_id
    generator: Any = model  # its mixins confuse type checkers
    produced: Tensor = generator.generate(
        tokens,
        attention_mask=torch.ones_like(tokens),
        past_key_values=memory,
        do_sample=False,
        max_new_tokens=max_tokens,
        stopping_criteria=[_Heard(hear)],
        pad_token_id=0 if padding is None else padding,
    )
    return produced[:, tokens.shape[1] :]
