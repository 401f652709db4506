"""Attention transfer, layer by layer (LoLCATs, arXiv 2410.10254): each layer learns to give out behind slots what the
frozen model gives out with all of the text in its window.

Every layer gets the hidden states that the frozen model has there, so no gradient leaves a layer, and no MLP is
computed twice: a step costs little more than the forward pass of full attention that it begins with.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from infinidoc.model.attention import CompressiveMemory, Enough
from infinidoc.model.lora import enable
from infinidoc.model.passes import Stand, with_layers
from infinidoc.model.slots import LayerSlots

if TYPE_CHECKING:
    from infinidoc.model.decoder import Model


@dataclass(frozen=True)
class Lesson:
    """What the frozen model has in a layer, over a whole excerpt: what comes in, and what attention gives out, each
    (B, N, D)."""

    incoming: Tensor
    attended: Tensor


@contextmanager
def frozen(model: "Model") -> Iterator[None]:
    """The model as it was, without LoRA factors."""
    enable(model, False)
    try:
        with torch.no_grad():
            yield
    finally:
        enable(model, True)


def full_attention(model: "Model", ids: Tensor) -> Tensor:
    """The last hidden states (B, N, D) of token ids (B, N), as the frozen model has them."""
    memory = CompressiveMemory(model).read_only()
    memory.block(True)
    with frozen(model):
        hidden: Tensor = model.get_decoder()(input_ids=ids, past_key_values=memory).last_hidden_state
    return hidden


def lessons(model: "Model", ids: Tensor) -> list[Lesson]:
    """Those of all layers: one forward pass of full attention over token ids (B, N)."""
    incoming: list[Tensor] = []
    attended: list[Tensor] = []
    layers = model.get_decoder().layers

    def enters(module: Any, args: Any, kwargs: Any) -> None:
        incoming.append(kwargs["hidden_states"] if "hidden_states" in kwargs else args[0])

    hooks = [layer.register_forward_pre_hook(enters, with_kwargs=True) for layer in layers]
    hooks += [_listen(layer.self_attn, attended.append) for layer in layers]
    try:
        full_attention(model, ids)
    finally:
        for hook in hooks:
            hook.remove()
    return [Lesson(*pair) for pair in zip(incoming, attended, strict=True)]


def learn(model: "Model", ids: Tensor, window: int, memory: CompressiveMemory, alone: bool = False) -> float:
    """Adds the gradients of an excerpt (B, N), N a multiple of `window`, read in segments through an empty memory.

    Its loss is the squared error of what attention gives out, over its mean square, for tokens past the first window; a
    mean over layers. With `alone`, a token sees nothing of its window but itself, neither here nor in the lesson: what
    the window can tell as well is looked for in the slots.
    """
    decoder, pupils = model.get_decoder(), []
    for index, lesson in enumerate(lessons(model, ids)):
        pupils.append(_Pupil(model, index, lesson, window, memory, alone))
    # The decoder hands each layer what its kind gets beside hidden states: rotations, masks, the memory. Segments are
    # of one length, and positions restart in each, so that is the same for all of them.
    with_layers(decoder, pupils)(input_ids=ids[:, :window], past_key_values=memory, use_cache=True)
    return sum(pupil.loss for pupil in pupils) / len(pupils)


class _Pupil(Stand):
    """In the place of a decoder layer: has it learn its lesson."""

    def __init__(self, model: "Model", index: int, lesson: Lesson, window: int, memory: CompressiveMemory, alone: bool):
        super().__init__(model.get_decoder().layers[index])
        self.lesson, self.window, self.alone, self.loss = lesson, window, alone, 0.0
        self._model, self._memory, self._index = [model], memory, index  # a list: it is no part of this module

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        slots, wanted = self._memory.layers[self._index].slots, self.lesson.attended[:, self.window :]
        if self.alone:  # slots with room for everything are full attention
            room = LayerSlots(self.lesson.incoming.shape[1], ("late",), slots.turn)
            with frozen(self._model[0]):
                wanted = self._past_window(room, *args, **kwargs)
        given = self._past_window(slots, *args, **kwargs)
        loss = (given.float() - wanted.float()).square().mean() / wanted.float().square().mean()
        loss.backward()
        self.loss = loss.item()
        return hidden_states

    def _past_window(self, slots: LayerSlots, *args: Any, **kwargs: Any) -> Tensor:
        """What attention gives out past the first window (B, N, D), segments read one after the other."""
        layer, given = self._memory.layers[self._index], []
        layer.slots = Alone(slots.size, slots.keep, slots.turn) if self.alone else slots

        def enough(attended: Tensor) -> None:
            given.append(attended)
            raise Enough

        hook = _listen(self.layer.self_attn, enough)
        for segment in self.lesson.incoming.split(self.window, dim=1):
            with suppress(Enough):
                self.layer(segment, *args, **kwargs)
            layer.fold(None)
        hook.remove()
        layer.reset()
        return torch.cat(given[1:], 1)


class Alone(LayerSlots):
    """Slots, and each token alone before them: the rest of the window is not seen."""

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        scale: float | None,
        sliding: int | None,
    ) -> Tensor:
        alone = torch.eye(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device)
        return super().attend(query, key, value, alone[None, None], scale, sliding)


def _listen(module: Any, hear: Callable[[Tensor], None]) -> Any:
    """Hears what an attention module gives out (B, N, D)."""
    return module.register_forward_hook(lambda _, __, output: hear(output[0] if isinstance(output, tuple) else output))
