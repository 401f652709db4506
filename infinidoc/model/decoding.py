"""What a model says next: the likeliest token, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infinidoc.model.attention import CompressiveMemory, mixed
from infinidoc.model.base import BaseModel
from infinidoc.model.decoder import MLP, Attention, LanguageModel
from infinidoc.model.threads import on_free_cores

Hear = Callable[[Tensor], Any]  # is told the next token of each row (B,); returns something true: that is enough
QKV, GATE_UP = ("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj")  # maps that take in the same


def nobody(said: Tensor) -> None:
    """Hears nothing."""


@torch.no_grad()
def generate(
    base: BaseModel, ids: Tensor, memory: CompressiveMemory, max_tokens: int, hear: Hear = nobody
) -> list[list[int]]:
    """Continues prompts of equal length, ids (B, N), behind a memory whose window is empty and gets filled.

    Each row ends before the first of the model's stop tokens, or after `max_tokens`.
    """
    ids = ids.to(base.device)
    if isinstance(base.model, LanguageModel):
        return go_on(base, read(base, ids, memory).argmax(-1), memory, max_tokens, base.stops, hear)
    from infinidoc.model import hugging_face

    return _ended(hugging_face.generate(base.model, ids, memory, max_tokens, hear), base.stops)


@torch.no_grad()
@on_free_cores()
def read(base: BaseModel, ids: Tensor, memory: CompressiveMemory) -> Tensor:
    """Prompts of equal length, ids (B, N), into the window of a memory; returns logits (B, V) of what comes next.

    Local attention may round differently from the base model's, where that is faster.
    """
    model: Any = base.model  # one of two classes, which are called alike
    memory.block(memory.get_seq_length() == 0)
    logits: Tensor = model(input_ids=ids, past_key_values=memory, use_cache=True, logits_to_keep=1).logits[:, -1]
    memory.block(False)
    return logits


@torch.no_grad()
def go_on(
    base: BaseModel,
    token: Tensor,
    memory: CompressiveMemory,
    max_tokens: int,
    stops: Sequence[int],
    hear: Hear = nobody,
    hear_logits: Hear = nobody,
) -> list[list[int]]:
    """Goes on from what a window holds and a first token (B,), which counts; the memory stays as it is.

    Each row ends before the first of its stop tokens, or after `max_tokens`. `hear_logits` is told those (B, V) that
    every token after the first is the likeliest by.
    """
    window = (_Window if isinstance(base.model, LanguageModel) else _Growing)(base.model, memory, max_tokens)
    said, ends = [token], torch.tensor(stops, device=token.device)
    ended = torch.isin(token, ends)
    while not (hear(token) or ended.all()) and len(said) < max_tokens:
        logits = window.next(token)
        hear_logits(logits)
        token = logits.argmax(-1)
        said.append(token)
        ended |= torch.isin(token, ends)
    return _ended(torch.stack(said, 1), stops)


def _ended(said: Tensor, stops: Sequence[int]) -> list[list[int]]:
    """Rows (B, N) up to their stop tokens."""
    return [list(takewhile(lambda token: token not in stops, row)) for row in said.tolist()]


class _Growing:
    """A window of any decoder, a copy of which grows by a token each time."""

    def __init__(self, model: Any, memory: CompressiveMemory, room: int):
        self.model, self.memory = model, memory.copy()

    @on_free_cores()
    def next(self, token: Tensor) -> Tensor:
        output = self.model(input_ids=token[:, None], past_key_values=self.memory, use_cache=True, logits_to_keep=1)
        return output.logits[:, -1]


class _Window:
    """A copy of a window that has room for all that will be said, so that no shape changes and nothing is copied."""

    def __init__(self, model: Any, memory: CompressiveMemory, room: int):
        self.model: LanguageModel = model
        self.memory, self.length = memory, memory.get_seq_length()
        self.reads = [layer.readable() for layer in memory.layers]
        self.keys, self.values = (
            [F.pad(part, (0, 0, 0, room)) for part in parts]
            for parts in zip(*(layer.whole() for layer in memory.layers), strict=True)
        )
        slots = memory.layers[0].slots  # all layers have as many, of the same rows
        self.held, self.seen = len(slots), slots.seen(self.length + room)
        positions = torch.arange(self.length + room, device=model.device)
        cos, sin = model.model.rotation(positions, model.dtype)
        left, right = sin[0].chunk(2, -1)
        self.cos, self.sin = cos[0], torch.cat([-left, right], -1)  # of `rotate`, for a halfway roll

    @on_free_cores()
    def next(self, token: Tensor) -> Tensor:
        """Logits (B, V) of what comes after this token of each row (B,)."""
        if getattr(self.model.config, "infini_reads", False):  # others may write what is compared to the last bit
            lay_out(self.model)
        with _products_of_one_row(self.model, token):
            return self._next(token)

    def _next(self, token: Tensor) -> Tensor:
        decoder = self.model.model
        hidden = decoder.embed_tokens(token)
        for index, layer in enumerate(decoder.layers):
            hidden = hidden + self._attention(index, layer.self_attn, layer.input_layernorm(hidden))
            hidden = hidden + self._mlp(layer.mlp, layer.post_attention_layernorm(hidden))
        self.length += 1
        return self.model.lm_head(decoder.norm(hidden))

    def _attention(self, index: int, module: Attention, hidden: Tensor) -> Tensor:
        rows, size, at, end = len(hidden), module.head_dim, self.length, self.held + self.length
        all_heads = _side_by_side(module, QKV, hidden).view(rows, -1, size)
        kv_heads = all_heads.shape[1] // (module.num_key_value_groups + 2)
        heads = module.num_key_value_groups * kv_heads
        both, value = all_heads[:, :-kv_heads], all_heads[:, -kv_heads:]
        plain = both[:, :heads]
        both = both * self.cos[at] + both.roll(size // 2, -1) * self.sin[at]
        self.keys[index][:, :, end], self.values[index][:, :, end] = both[:, heads:], value
        # Query heads of a group share their keys: they are that group's queries.
        mix = F.scaled_dot_product_attention(
            both[:, :heads].view(rows, kv_heads, -1, size),
            self.keys[index][:, :, : end + 1],
            self.values[index][:, :, : end + 1],
            None if self.seen is None else self.seen[:, None, None, : end + 1],
            scale=module.scaling,
        )
        if self.reads[index]:
            local = mix.reshape(rows, 1, heads, size)
            mix = mixed(module, self.memory.layers[index], hidden[:, None], plain[:, :, None], local)
        return module.o_proj(mix.reshape(rows, -1))

    def _mlp(self, module: MLP, hidden: Tensor) -> Tensor:
        gate, up = _side_by_side(module, GATE_UP, hidden).chunk(2, -1)
        return module.down_proj(F.silu(gate) * up)


def lay_out(model: LanguageModel) -> None:
    """Has one row go through a float32 model's weights twice as fast on a CPU, once and for all: by columns, and those
    that take in the same side by side. It takes a quarter of a second, and a copy of what is the embedding as well.

    Products with more rows stay the same to the last bit, but for two and three rows.
    """
    if model.laid_out or model.dtype is not torch.float32 or model.device.type != "cpu":
        return
    for layer in model.model.layers:
        for module, names in ((layer.self_attn, QKV), (layer.mlp, GATE_UP)):
            maps = [getattr(module, name) for name in names]
            if not all(isinstance(one, nn.Linear) for one in maps):
                continue
            joint = torch.cat([one.weight.T for one in maps], 1).T  # (all outputs, in), by columns
            biases = [one.bias for one in maps if one.bias is not None]
            module.joint = joint, torch.cat(biases) if biases else None
            for one, weight in zip(maps, joint.split([len(one.weight) for one in maps]), strict=True):
                one.weight.data = weight
    head = model.lm_head.weight
    model.lm_head.weight = nn.Parameter(head.T.contiguous().T, requires_grad=False)
    model.laid_out = True


def _side_by_side(module: Any, names: Sequence[str], x: Tensor) -> Tensor:
    """What the module's linear maps of these names make of x (B, in): (B, all outputs)."""
    if hasattr(module, "joint"):
        return F.linear(x, *module.joint)
    return torch.cat([getattr(module, name)(x) for name in names], -1)


@contextmanager
def _products_of_one_row(model: LanguageModel, token: Tensor) -> Iterator[None]:
    """PyTorch's own product of a bfloat16 matrix and a vector reads memory twice as fast as oneDNN's, which it prefers
    on processors with AVX-512. There is one switch for the process: models take turns (see `reading/models.py`)."""
    was = torch._C._get_mkldnn_enabled()
    slow = len(token) == 1 and model.dtype is torch.bfloat16 and model.device.type == "cpu"
    torch._C._set_mkldnn_enabled(was and not slow)
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(was)
