"""The decoder of the families llama and qwen2, which the embedded base models are of, as `transformers` computes it, to
the last bit. Importing that one takes longer than answering a question.

    RMSNorm → attention with rotary positions and grouped queries → RMSNorm → SwiGLU, each added to what went in

Modules and tensors have the names that they have in checkpoints: `model.layers.7.self_attn.q_proj.weight`. H query
heads, K KV heads, hidden size D, head size R.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Union

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from infinidoc.errors import Unwritable
from infinidoc.files import replacing
from infinidoc.model.attention import CompressiveMemory, infini_attention
from infinidoc.model.rotation import Rotation

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Model = Union["LanguageModel", "PreTrainedModel"]

HALVED = "bfloat16.safetensors"

# What a config may say beside sizes, and the one value of it that is computed here.
PLAIN = {
    "hidden_act": "silu",
    "rope_scaling": None,
    "partial_rotary_factor": 1.0,
    "attention_bias": False,
    "mlp_bias": False,
    "attention_dropout": 0.0,
    "use_sliding_window": False,
    "quantization_config": None,
}


class Config(SimpleNamespace):
    """A config.json's entries as attributes, by the names that `transformers` gives them."""

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "Config":
        self = cls(**content)
        heads = self.num_attention_heads
        self.num_key_value_heads = content.get("num_key_value_heads") or heads
        self.head_dim = content.get("head_dim") or self.hidden_size // heads
        self.tie_word_embeddings = content.get("tie_word_embeddings", False)
        self.rms_norm_eps = content.get("rms_norm_eps", 1e-6)
        self.rope_theta = content.get("rope_theta") or content["rope_parameters"]["rope_theta"]
        return self

    def get_text_config(self, decoder: bool = True) -> "Config":
        return self


def is_plain(config: Mapping[str, Any]) -> bool:
    """Whether a config.json describes what is computed here: no scaled rotation, no sliding window, no quantisation."""
    rope = config.get("rope_parameters") or {"rope_type": "default", "rope_theta": config.get("rope_theta")}
    return (
        config.get("model_type") in ("llama", "qwen2")
        and all(config.get(name, value) == value for name, value in PLAIN.items())
        and {"full_attention", *(config.get("layer_types") or ())} == {"full_attention"}
        and rope.get("rope_type") == "default"
        and bool(rope.get("rope_theta"))
        and rope.get("partial_rotary_factor", 1.0) == 1.0
    )


class Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Weights are loaded: what they would begin with takes a second to make up."""


class RMSNorm(nn.Module):
    def __init__(self, size: int, eps: float):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.empty(size)), eps

    def forward(self, x: Tensor) -> Tensor:
        exact = x.float()
        exact = exact * torch.rsqrt(exact.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * exact.to(x.dtype)


class Attention(nn.Module):
    def __init__(self, config: Config, index: int):
        super().__init__()
        self.layer_idx, self.head_dim, self.scaling = index, config.head_dim, config.head_dim**-0.5
        self.num_key_value_groups = config.num_attention_heads // config.num_key_value_heads
        width, kv_width = config.num_attention_heads * self.head_dim, config.num_key_value_heads * self.head_dim
        bias = config.model_type == "qwen2"
        self.q_proj = Linear(config.hidden_size, width, bias=bias)
        self.k_proj = Linear(config.hidden_size, kv_width, bias=bias)
        self.v_proj = Linear(config.hidden_size, kv_width, bias=bias)
        self.o_proj = Linear(width, config.hidden_size, bias=False)

    def forward(self, hidden_states: Tensor, rotation: Rotation, memory: CompressiveMemory | None) -> Tensor:
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        query, key, value = (project(hidden_states).view(shape) for project in (self.q_proj, self.k_proj, self.v_proj))
        query, key, value = (x.transpose(1, 2) for x in (rotate(query, rotation), rotate(key, rotation), value))
        if memory is None:
            mixed = self._local(query, key, value)
        else:
            key, value = memory.update(key, value, self.layer_idx)
            inputs = memory.inputs(self.layer_idx, hidden_states, rotation)
            mixed = infini_attention(self, query, key, value, inputs, self._local, self.scaling)
        return self.o_proj(mixed.reshape(*hidden_states.shape[:-1], -1))

    def _local(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """query (B, H, N, R), key and value (B, K, window, R) to (B, N, H, R)."""
        new, window = query.shape[2], key.shape[2]
        mask = None
        if 1 < new < window:  # the last so many of the window's tokens
            mask = torch.ones(new, window, dtype=torch.bool, device=query.device).tril(window - new)
        mixed = F.scaled_dot_product_attention(
            query,
            key,
            value,
            mask,
            is_causal=new == window > 1,
            scale=self.scaling,
            enable_gqa=query.shape != key.shape,
        )
        return mixed.transpose(1, 2).contiguous()


class MLP(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.gate_proj = Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config: Config, index: int):
        super().__init__()
        self.self_attn, self.mlp = Attention(config, index), MLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, hidden_states: Tensor, rotation: Rotation, memory: CompressiveMemory | None) -> Tensor:
        entering = self.input_layernorm(hidden_states)
        hidden_states = hidden_states + self.self_attn(hidden_states=entering, rotation=rotation, memory=memory)
        return hidden_states + self.mlp(self.post_attention_layernorm(hidden_states))


@dataclass(frozen=True)
class Hidden:
    last_hidden_state: Tensor  # (B, N, D)


@dataclass(frozen=True)
class Output:
    logits: Tensor  # (B, N or fewer, V)


class Decoder(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        shape = (config.vocab_size, config.hidden_size)
        self.embed_tokens = nn.Embedding(*shape, _weight=torch.empty(shape))
        self.layers: Any = nn.ModuleList(Layer(config, index) for index in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self, input_ids: Tensor, past_key_values: CompressiveMemory | None = None, use_cache: bool | None = None
    ) -> Hidden:
        """Token ids (B, N), behind the window of a memory; there is no cache but a memory."""
        hidden = self.embed_tokens(input_ids)
        first = past_key_values.get_seq_length() if past_key_values is not None else 0
        rotation = self.rotation(torch.arange(first, first + input_ids.shape[1], device=hidden.device), hidden.dtype)
        for layer in self.layers:
            hidden = layer(hidden, rotation, past_key_values)
        return Hidden(self.norm(hidden))

    def rotation(self, positions: Tensor, dtype: torch.dtype) -> Rotation:
        """cos and sin (1, N, R) of positions (N)."""
        size = self.config.head_dim
        exponents = torch.arange(0, size, 2, dtype=torch.float, device=positions.device) / size
        angles = positions[None, :, None].float() * (1.0 / self.config.rope_theta**exponents)
        angles = torch.cat([angles, angles], -1)
        return angles.cos().to(dtype), angles.sin().to(dtype)


class LanguageModel(nn.Module):
    """A decoder and its head. Called as a model of `transformers` is, as far as infinidoc does so."""

    laid_out = False  # see `decoding.lay_out`

    def __init__(self, config: Config):
        super().__init__()
        self.config, self.model = config, Decoder(config)
        self.lm_head = Linear(config.hidden_size, config.vocab_size, bias=False)

    @classmethod
    def from_files(cls, config: Mapping[str, Any], files: Sequence[Path], dtype: torch.dtype) -> "LanguageModel":
        """Weights that are in the right precision already stay where they are: pages of a file, read when needed.

        Raises KeyError with the name of a weight that is missing, RuntimeError for one of another shape.
        """
        weights: dict[str, Tensor] = {}
        for file in files:
            with safe_open(file, "pt") as content:
                weights |= {name: content.get_tensor(name).to(dtype) for name in content.keys()}  # noqa: SIM118
        model = cls(Config.read(config))
        missing = set(model.load_state_dict(weights, strict=False, assign=True).missing_keys)
        if model.config.tie_word_embeddings:
            model.lm_head.weight = model.model.embed_tokens.weight
            missing.discard("lm_head.weight")
        if missing:
            raise KeyError(min(missing))
        return model

    def forward(
        self,
        input_ids: Tensor,
        past_key_values: CompressiveMemory | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
    ) -> Output:
        """`logits_to_keep`: of the last so many tokens only; 0: of all."""
        hidden = self.model(input_ids, past_key_values).last_hidden_state
        return Output(self.lm_head(hidden[:, -logits_to_keep:]))

    def get_decoder(self) -> Decoder:
        return self.model

    @property
    def device(self) -> torch.device:
        return self.lm_head.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.lm_head.weight.dtype


def halved(folder: Path, files: list[Path]) -> list[Path]:
    """Where a model's float32 weights are in bfloat16: in a file beside them, written once. Converting them at every
    start takes longer than all else of loading. Where it can't be written they are converted all the same."""
    target = folder / HALVED
    if not target.is_file():
        with suppress(Unwritable), replacing(target) as temporary:
            save_file({k: t.bfloat16() for file in files for k, t in load_file(file).items()}, temporary)
    return [target] if target.is_file() else files


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Puts the rotary position into x (B, N, H, R): dimension i and i + R/2 turn together."""
    cos, sin = (part[:, :, None] for part in rotation)
    left, right = sin.chunk(2, -1)
    return x * cos + x.roll(x.shape[-1] // 2, -1) * torch.cat([-left, right], -1)
