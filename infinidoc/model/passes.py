"""One pass through a model for what is kept of a text: what its memory folds, and the hidden states of one layer."""

import copy
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from infinidoc.model.attention import CompressiveMemory, Enough, attach, is_attached
from infinidoc.model.threads import on_free_cores

if TYPE_CHECKING:
    from infinidoc.model.decoder import Model


@on_free_cores()
def single_pass(
    model: "Model", ids: Tensor, tap: int | None, remember: range | None = None, begun: Tensor | None = None
) -> CompressiveMemory:
    """Token ids (B, N) through the model, for nothing but what comes back: a memory with the window that a fold needs,
    of the layers that `remember` (None: of all that do); and of layer `tap` what comes into it (B, N, D), in its
    `incoming`, and what enters its attention, normalised, in its `entering`.

    Nothing above the last layer that is needed runs: without any that remember that is `tap`, which saves most of the
    model. Nothing below layer `tap` runs if `begun` is what came into it in an earlier pass; then ids only count.
    Local attention may round differently from the base model's, where that is faster. A model that infini-attention
    isn't attached to gets it, which changes nothing that it computes.
    """
    if not is_attached(model):
        attach(model)
    memory, decoder = CompressiveMemory(model), model.get_decoder()
    layers = memory.layers
    for index, layer in enumerate(layers):
        layer.recording = layer.remembers and (remember is None or index in remember)
        layer.blocked, layer.tapped = True, index == tap
    layers[max(i for i, layer in enumerate(layers) if layer.tapped or layer.recording)].last = True
    stands = {i: Stand(decoder.layers[i], begun) for i in range(tap or 0) if begun is not None}
    if tap is not None:
        stands[tap] = Stand(decoder.layers[tap])
    with suppress(Enough):
        twin = with_layers(decoder, [stands.get(i, layer) for i, layer in enumerate(decoder.layers)])
        twin(input_ids=ids, past_key_values=memory, use_cache=True)
    if tap is not None:
        layers[tap].incoming = stands[tap].incoming
    return memory


class Stand(nn.Module):
    """In the place of a decoder layer for one pass: notes what comes into it; or only hands on what is known to come
    out of it."""

    def __init__(self, layer: nn.Module, outgoing: Tensor | None = None):
        super().__init__()
        self.layer, self.outgoing = layer, outgoing
        self.incoming: Tensor | None = None

    def __getattr__(self, name: str) -> Any:
        layer = super().__getattr__("layer")
        return layer if name == "layer" else getattr(layer, name)

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        self.incoming = hidden_states
        return self.layer(hidden_states, *args, **kwargs) if self.outgoing is None else self.outgoing


def with_layers(decoder: Any, layers: Sequence[nn.Module]) -> Any:
    """The same decoder, weights and all, with these layers for its own: other threads don't see it."""
    twin = copy.copy(decoder)
    twin.__dict__["_modules"] = {**decoder._modules, "layers": nn.ModuleList(layers)}
    return twin
