"""Infini-attention (arXiv 2404.07143) attached to an unmodified decoder: one of `decoder.py` or of `transformers`.

    attach(model)                              # once
    memory = CompressiveMemory(model)
    model(ids, past_key_values=memory)         # attends locally, reads what earlier segments left
    memory.fold()                              # moves the segment into the memory and empties the window
    decoding.generate(model, ids, memory.copy(), 20)

Local attention is the model's own, so that with an empty memory, or with closed gates, every logit is the base model's.
`hugging_face.py` has the hooks that a decoder of `transformers` calls this through.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infinidoc.errors import InfinidocError
from infinidoc.model.causal import causal_attention
from infinidoc.model.kernels import KERNELS, Kernel, Readout, State, pack, unpack
from infinidoc.model.rotation import Rotation, unrotate
from infinidoc.model.slots import KEEP, NO_SLOTS, LayerSlots, Slots, pack_slots, turn_of, unpack_slots

if TYPE_CHECKING:
    from infinidoc.model.decoder import Model

CLOSED = float("-inf")  # σ(−∞) = 0: a gate that lets exactly nothing of the memory through


class Enough(Exception):
    """Ends a forward pass from within, as soon as all that was wanted of it is known (see `passes.single_pass`)."""


class InfiniParameters(nn.Module):
    """What an adapter trains in one attention module, beside LoRA. H query heads, K KV heads, hidden size D.

    gate   g = σ(gate_bias + h·gate_weight), per query head and token: A = g·A_mem + (1 − g)·A_dot (Eq. 6, where the
           paper has gate_bias alone)
    write  w = σ(write_bias + h·write_weight), per KV head and token: how much of a token is written
    ridge  λ = softplus(ridge_bias) / 10, per KV head, for the least-squares kernel
    keep   keep_bias + h·keep_weight, per KV head and token: the log of the attention that it will receive, for slots

    Fresh parameters leave the base model as it is: gates closed, every token written in full.
    """

    def __init__(self, heads: int, kv_heads: int, hidden_size: int, device: torch.device):
        super().__init__()

        def parameter(*shape: int, value: float = 0.0) -> nn.Parameter:
            return nn.Parameter(torch.full(shape, value, device=device, dtype=torch.float32), requires_grad=False)

        self.gate_bias, self.gate_weight = parameter(heads, value=CLOSED), parameter(hidden_size, heads)
        self.write_bias, self.write_weight = parameter(kv_heads, value=-CLOSED), parameter(hidden_size, kv_heads)
        self.ridge_bias = parameter(kv_heads)
        self.keep_bias, self.keep_weight = parameter(kv_heads, value=CLOSED), parameter(hidden_size, kv_heads)

    def gate(self, hidden: Tensor) -> Tensor:
        """(B, N, D) to (B, N, H, 1), between 0 and 1."""
        return torch.sigmoid(self.gate_bias + hidden.float() @ self.gate_weight)[..., None].to(hidden.dtype)

    def write_weights(self, hidden: Tensor) -> Tensor:
        """(B, N, D) to (B, K, N), between 0 and 1."""
        weight = self.write_weight.T.contiguous()  # with few columns, products of rows are twice as fast
        return torch.sigmoid(F.linear(hidden.float(), weight, self.write_bias)).transpose(1, 2)

    def foreseen(self, hidden: Tensor) -> Tensor:
        """(B, N, D) to (B, K, N): the log of attention."""
        return (self.keep_bias + hidden.float() @ self.keep_weight).transpose(1, 2)

    def ridge(self) -> Tensor:
        return F.softplus(self.ridge_bias) * 0.1

    def is_closed(self) -> bool:
        return bool((self.gate_bias == CLOSED).all())


class Inputs(NamedTuple):
    """What attention needs beside queries, keys and values."""

    layer: "InfiniLayer"
    hidden: Tensor  # (B, N, D), the attention module's input
    rotation: Rotation | None  # None where the layer doesn't rotate


class InfiniLayer:
    """One layer's window (keys, values) and its compressive memory: the sum (`state`), and slots, where there are any.

    Positions restart at 0 in each segment, so what is folded must not carry any: keys are kept a second time as they
    were before rotation. Folding can't be undone: the layer is not croppable.
    """

    is_croppable = is_sliding = False  # asked by `transformers`

    def __init__(
        self, kernel: Kernel, parameters: InfiniParameters, remembers: bool = True, slots: LayerSlots = NO_SLOTS
    ):
        self.keys: Tensor | None = None
        self.values: Tensor | None = None
        self.kernel, self.parameters, self.remembers = kernel, parameters, remembers
        self.state: State | None = None
        self.slots = slots.copy()
        self.recording = True  # keep what a fold needs; a reader that won't fold switches it off
        self.tapped = self.blocked = self.last = False  # see single_pass
        self.incoming: Tensor | None = None
        self.entering: Tensor | None = None
        self._recorded: list[Slots] = []
        self._readout: Readout | None = None

    def update(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Appends keys and values (B, K, N, D) to the window, and returns all of it."""
        if self.keys is None or self.values is None:
            self.keys, self.values = keys, values
        else:
            self.keys, self.values = torch.cat([self.keys, keys], -2), torch.cat([self.values, values], -2)
        return self.keys, self.values

    def record(self, keys: Tensor, values: Tensor, hidden: Tensor) -> None:
        """Keeps, for the next fold, position-free keys (B, K, N, D), their values, and what the write gates say of the
        hidden states (B, N, D)."""
        weights = self.parameters.write_weights(hidden)
        foreseen = self.parameters.foreseen(hidden) if "learnt" in self.slots.keep else weights
        present = torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
        self._recorded.append(Slots(keys, values, torch.zeros_like(weights), foreseen, weights, present))

    def fold(self, mask: Tensor | None) -> None:
        """Write after read: the window goes into the memory and is emptied. mask (B, N), 1 for tokens, 0 for padding.

        Behind slots, what leaves them goes into the state, where that is ever read.
        """
        if self._recorded and self.keys is not None:
            window = Slots.side_by_side(self._recorded)
            if mask is not None:
                window = replace(window, present=mask.to(window.present))
            wanted = self.remembers and not (self.slots.size and self.parameters.is_closed())
            leaving = self.slots.fold(self.keys, window, wanted)
            if wanted and leaving is not None:
                self.set_state(self._written(leaving))
        self.clear()

    def _written(self, leaving: Slots) -> State:
        # Half precision would round each product before it is summed; products of what lies side by side are faster.
        weights = leaving.weights
        keys, values = (x.to(weights.dtype).contiguous() for x in (leaving.keys, leaving.values))
        rows, heads, _, key_dim = keys.shape
        state = self.state or self.kernel.empty(rows, heads, key_dim, values.shape[-1], keys.device)
        # float64 follows wherever the sums live (see accumulator_device)
        return self.kernel.write(state, keys, values, weights, leaving.present.to(weights))

    def clear(self) -> None:
        """Empties the window and forgets what was recorded of it; the state stays."""
        self.keys = self.values = None
        self._recorded, self._readout = [], None
        self.slots.clear()

    def reset(self) -> None:
        self.clear()
        self.state = None
        self.slots.set(None)

    def whole(self) -> tuple[Tensor, Tensor]:
        """Rotated keys and values (B, K, S + N, D) of slots and window, which holds something."""
        assert self.keys is not None
        assert self.values is not None
        return self.slots.before(self.keys, self.values)

    def readable(self) -> bool:
        """Whether there is anything to read, and a gate that would let it through."""
        return self.state is not None and not self.parameters.is_closed()

    def read(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Position-free queries (B, H, N, D) to A_mem (B, N, H, V), and which rows hold anything (B,)."""
        assert self.state is not None
        if self._readout is None:
            ridge = self.parameters.ridge()
            self._readout = self.kernel.readout(self.state, ridge, torch.float32, queries.device)
        rows, heads, tokens, dim = queries.shape
        kv_heads = self._readout.matrix.shape[1]
        # Query heads of a group share a KV head's memory: fold the group into the token axis.
        grouped = queries.float().reshape(rows, kv_heads, heads // kv_heads * tokens, dim)
        read = self.kernel.read(self._readout, grouped).to(queries.dtype)
        return read.reshape(rows, heads, tokens, -1).transpose(1, 2), self._readout.present

    def set_state(self, state: State | None) -> None:
        self.state, self._readout = state, None

    def select(self, rows: Tensor) -> None:
        """Keeps these rows of the batch, in this order."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys[rows], self.values[rows]
        self._recorded = [part.rows(rows) for part in self._recorded]
        self.slots.select(rows)
        if self.state is not None:
            self.set_state(self.state.rows(rows.to(self.state.tokens.device)))


class CompressiveMemory:
    """A cache whose layers remember all folded segments in constant size.

    `state` is what a collection keeps: one `State` per layer that remembers, or None before anything was folded.
    With `slots`, every layer also holds so many pairs of key and value per KV head; `keep` says which (see `slots.py`).
    Raises ValueError for fewer than none, or a way to choose that isn't there, and InfinidocError where a write gate
    should choose and there is none.
    """

    def __init__(
        self,
        model: "Model",
        state: list[State] | None = None,
        slots: int = 0,
        keep: Sequence[str] = KEEP,
    ):
        modules = attention_modules(model)
        if not is_attached(model):
            raise ValueError("infini-attention is not attached to this model: call attach(model) first")
        if slots and "learnt" in keep and any((m.infini.keep_bias == CLOSED).any() for m in modules):
            raise InfinidocError("this model has no write gate to keep slots by", "see: infinidoc train write-gate")
        kernel, those = KERNELS[model.config.infini_kernel], remembering(model)
        self.layers = [
            InfiniLayer(kernel, m.infini, index in those, LayerSlots(slots, keep, turn_of(model.get_decoder(), index)))
            for index, m in enumerate(modules)
        ]
        if state is not None:
            self.load(state)

    @property
    def state(self) -> list[State] | None:
        states = [layer.state for layer in self.layers if layer.state is not None]
        return states or None

    def load(self, state: list[State] | None) -> None:
        """Takes a state as it is (not a copy: states are values), of layers that remember and perhaps more above them.
        Rows of the state are rows of the batch."""
        layers = [layer for layer in self.layers if layer.remembers]
        found: Sequence[State | None] = [None] * len(layers) if state is None else state[: len(layers)]
        for layer, own in zip(layers, found, strict=True):
            layer.set_state(own)

    @property
    def slots(self) -> list[Slots]:
        """What the slots of every layer hold; nothing before anything was folded."""
        return [layer.slots.held for layer in self.layers if layer.slots.held is not None]

    def tensors(self) -> dict[str, Tensor]:
        """Sum and slots by name, as safetensors keep them."""
        return pack(self.state or []) | pack_slots(self.slots)

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """The opposite of `tensors`. Raises ValueError for those of another number of layers."""
        held, rest = unpack_slots(tensors)
        self.load(unpack(rest))
        found: Sequence[Slots | None] = held or [None] * len(self.layers)
        for layer, own in zip(self.layers, found, strict=True):
            layer.slots.set(own)

    def fold(self, mask: Tensor | None = None) -> None:
        """Moves the window into the memory. mask (B, N) over the window: 1 for tokens, 0 for padding; None: all 1."""
        for layer in self.layers:
            layer.fold(mask)

    def clear(self) -> None:
        """Empties the window without folding it."""
        for layer in self.layers:
            layer.clear()

    def read_only(self) -> Self:
        """Stops keeping what a fold would need: a little faster, for answering."""
        for layer in self.layers:
            layer.recording = False
        return self

    def block(self, blocked: bool) -> None:
        """Whether local attention may round differently from the model's own, where that is faster. Only while the
        window is empty."""
        for layer in self.layers:
            layer.blocked = blocked

    def copy(self) -> Self:
        """A memory of its own with the same content: `generate` fills the window of the cache that it gets."""
        twin = copy.copy(self)
        twin.layers = [copy.copy(layer) for layer in self.layers]
        for layer in twin.layers:
            layer._recorded = list(layer._recorded)
            layer.slots = layer.slots.copy()
        return twin

    def begin(self, tokens: int) -> Self:
        """A copy whose window ends after so many tokens: causal attention left them as if nothing had followed."""
        twin = self.copy()
        for layer in twin.layers:
            assert layer.keys is not None
            assert layer.values is not None
            layer.keys, layer.values = layer.keys[:, :, :tokens], layer.values[:, :, :tokens]
        return twin

    def inputs(self, layer: int, hidden: Tensor, rotation: Rotation | None) -> Inputs:
        return Inputs(self.layers[layer], hidden, rotation)

    # What a decoder asks of its cache, by the names that `transformers` has for it.

    def update(self, keys: Tensor, values: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        return self.layers[layer_idx].update(keys, values)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        keys = self.layers[layer_idx].keys
        return 0 if keys is None else keys.shape[-2]

    get_query_offset = get_seq_length
    is_compileable = False

    def get_mask_sizes(self, query_length: int, layer_idx: int = 0) -> tuple[int, int]:
        """How many keys there will be, and the position of the first."""
        return self.get_seq_length(layer_idx) + query_length, 0

    def reorder_cache(self, beam_idx: Tensor) -> None:
        for layer in self.layers:
            layer.select(beam_idx)


def attention_modules(model: "Model") -> list[Any]:
    """The self-attention module of every decoder layer, in order."""
    return [layer.self_attn for layer in model.get_decoder().layers]


def remembering(model: "Model") -> range:
    """The layers that have a memory."""
    return range(model.config.infini_first_layer, model.config.infini_last_layer + 1)


def attach(model: "Model", kernel: str = "least_squares", first_layer: int = 0, last_layer: int | None = None) -> None:
    """Gives every attention module of a decoder its memory parameters and hooks; layers below the first and above the
    last (None: the model's last) don't remember. Calling it again changes the kernel and these layers.

    Raises ValueError for an unknown kernel, or a model without `layers[i].self_attn`.
    """
    if kernel not in KERNELS:
        raise ValueError(f"unknown kernel {kernel!r}: choose one of {', '.join(KERNELS)}")
    if not all(hasattr(layer, "self_attn") for layer in getattr(model.get_decoder(), "layers", [None])):
        raise ValueError(f"{type(model).__name__} has no layers[i].self_attn to attach to")
    config = model.config.get_text_config(decoder=True)
    modules = attention_modules(model)
    model.config.infini_kernel, model.config.infini_first_layer = kernel, first_layer
    model.config.infini_last_layer = len(modules) - 1 if last_layer is None else last_layer
    for module in modules:
        if not hasattr(module, "infini"):
            kv_heads = config.num_attention_heads // module.num_key_value_groups
            device = next(module.parameters()).device
            module.infini = InfiniParameters(config.num_attention_heads, kv_heads, config.hidden_size, device)
    if hasattr(model, "set_attn_implementation"):  # one of `transformers`; the other kind needs no hooks
        from infinidoc.model.hugging_face import hook

        hook(model, infini_attention)


def is_attached(model: "Model") -> bool:
    return hasattr(attention_modules(model)[0], "infini")


def infini_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    inputs: Inputs,
    attend: Callable[[Tensor, Tensor, Tensor], Tensor],
    scale: float | None = None,
    mask: Tensor | None = None,
    sliding: int | None = None,
) -> Tensor:
    """A = g·A_mem + (1 − g)·A_dot (Eq. 6). query (B, H, N, D), key and value (B, K, window, D) to (B, N, H, V).

    A_dot is `attend(query, key, value)`, the model's own, or attention over slots and window. mask (B, 1, N, window),
    where the model hides more than what is later; sliding: how many tokens a query sees, where that is limited.
    """
    layer, hidden, rotation = inputs
    if layer.tapped:
        layer.entering = hidden
    if layer.recording and (layer.remembers or layer.slots.size):
        new = slice(-query.shape[2], None)
        layer.record(unrotate(key[:, :, new], rotation), value[:, :, new], hidden)
        layer.slots.record(query, scale, sliding)
    if layer.last:
        raise Enough
    if layer.slots.held is not None:
        local = layer.slots.attend(query, key, value, mask, scale, sliding)
    elif layer.blocked and mask is None and query.dtype is torch.bfloat16 and query.device.type == "cpu":
        local = causal_attention(query, key, value, scale)
    else:
        local = attend(query, key, value)
    return mixed(module, layer, hidden, unrotate(query, rotation), local) if layer.readable() else local


def mixed(module: Any, layer: InfiniLayer, hidden: Tensor, query: Tensor, local: Tensor) -> Tensor:
    """Local attention (B, N, H, V) and what position-free queries (B, H, N, D) read in the memory, by the gate."""
    read, present = layer.read(query)
    gate = module.infini.gate(hidden) * present[:, None, None, None].to(hidden.dtype)
    return gate * read + (1 - gate) * local
