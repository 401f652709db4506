"""Trains a model to read through slots: LoRA factors that stand alone. They are merged where a memory has slots, and
nothing else depends on them: no address, no reader, no sum.

Excerpts of whole books are read in segments through a memory. First each layer learns to give out what full attention
gives out (see `transfer.py`), then, for the run's last third, all of them together to predict what full attention
predicts. Only tokens past the first window count. Windows, numbers of slots and ways to choose them are drawn anew for
every step, so that no one of them is learnt by heart, and now and then a token sees nothing of its window but itself.
"""

import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.errors import InfinidocError
from infinidoc.model.attention import CompressiveMemory, attach
from infinidoc.model.base import BaseModel
from infinidoc.model.lora import add_lora
from infinidoc.model.slots import KEEP
from infinidoc.training import loop
from infinidoc.training.books import Books
from infinidoc.training.transfer import full_attention, learn

WINDOWS, SIZES = (128, 256, 512), (64, 128, 256, 512)
WAYS = (KEEP, ("attention",), ("late",))  # to choose which pairs stay
DROPPED = 0.1  # of the steps are without a window
TOGETHER = 1 / 3  # of a run, at its end
SCORED = 512  # tokens of an excerpt whose predictions are compared
SAVE_EVERY = 20  # steps
DEVICE_TOKENS = {"cuda": 65_536, "cpu": 1_536}  # a step


@dataclass(frozen=True)
class Settings(loop.Settings):
    """`length` of an excerpt, in tokens: two or more of the longest windows."""

    rank: int = 16
    rate: float = 1e-3
    steps: int = 300
    length: int = 1536


class Trainer(loop.Run):
    """A run over excerpts of books, with its checkpoint in `out`.

    Raises InfinidocError for excerpts of a length that windows don't divide, or that neither books nor the model have.
    """

    CHECKPOINT = "slots-checkpoint.safetensors"
    settings: Settings

    def __init__(self, base: BaseModel, settings: Settings, books: Books, out: Path):
        if settings.length % max(WINDOWS) or settings.length < 2 * max(WINDOWS):
            raise InfinidocError(
                f"excerpts of {settings.length:,} tokens can't be read in windows of {max(WINDOWS)}",
                f"choose a multiple of {max(WINDOWS)}, from {2 * max(WINDOWS):,} on",
            )
        context = base.model.config.get_text_config(decoder=True).max_position_embeddings
        if settings.length > context:
            raise InfinidocError(
                f"the window of {base.name} has {context:,} tokens", "choose a --length that fits into it"
            )
        torch.manual_seed(settings.seed)
        attach(base.model, first_layer=len(base.model.get_decoder().layers))
        add_lora(base.model, settings.rank)
        super().__init__(base, settings, settings.steps, out)
        self.books = books.longer_than(settings.length)
        self.rows = max(1, DEVICE_TOKENS.get(base.device.type, DEVICE_TOKENS["cpu"]) // settings.length)

    def _backward(self) -> tuple[float, float | None, int]:
        rng = random.Random(f"{self.settings.seed} {self.step}")
        ids, window = self.excerpts(rng), rng.choice(WINDOWS)
        memory = CompressiveMemory(self.base.model, slots=rng.choice(SIZES), keep=rng.choice(WAYS))
        if self.progress < 1 - TOGETHER:
            alone = rng.random() < DROPPED
            return learn(self.base.model, ids, window, memory, alone), None, ids.numel()
        loss, right = self.predict(ids, window, memory)
        loss.backward()
        return loss.item(), right, ids.numel()

    def excerpts(self, rng: random.Random) -> Tensor:
        """Token ids (rows, length): the start tokens, and what stands anywhere in a book."""
        start, rows = self.base.start, []
        for book in rng.choices(self.books, [len(book) for book in self.books], k=self.rows):
            begin = rng.randrange(len(book) - self.settings.length)
            rows.append([*start, *book[begin : begin + self.settings.length - len(start)].tolist()])
        return torch.tensor(rows, device=self.base.device)

    def predict(self, ids: Tensor, window: int, memory: CompressiveMemory) -> tuple[Tensor, float]:
        """KL(full attention ‖ behind slots) of the last segment's predictions, nats a token, and in which share of them
        the likeliest token is the same. Gradients reach the last two segments: what was kept, and what looks for it."""
        model = self.base.model
        decoder, head = model.get_decoder(), model.lm_head
        scored = slice(-min(window, SCORED), None)
        with torch.no_grad():
            truth = head(full_attention(model, ids)[:, scored]).float().log_softmax(-1)
        *before, kept, last = ids.split(window, dim=1)
        with torch.no_grad():
            for segment in before:
                decoder(input_ids=segment, past_key_values=memory)
                memory.fold()
        decoder(input_ids=kept, past_key_values=memory)
        memory.fold()
        hidden = decoder(input_ids=last, past_key_values=memory).last_hidden_state[:, scored]
        found = head(hidden).float().log_softmax(-1)
        right = (found.argmax(-1) == truth.argmax(-1)).float().mean().item()
        return F.kl_div(found, truth, reduction="sum", log_target=True) / truth[..., 0].numel(), right
