"""What the runs have in common that train LoRA factors alone: steps until all are done, or the time is over, from
checkpoints that resume."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from infinidoc.model.adapters import LORA_DOWN, LORA_UP
from infinidoc.model.base import BaseModel
from infinidoc.model.lora import Merged, loras
from infinidoc.training import checkpoint
from infinidoc.training.checkpoint import Reached

WARM = 0.1  # of a run, until the learning rate is reached


@dataclass(frozen=True)
class Settings:
    """What decides a run's result, and so must be the same to resume it. With `minutes`, as many steps as fit into
    that time."""

    rank: int = 32
    rate: float = 1.2e-3
    minutes: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Step:
    """`right` is the share of what the model was asked that it would have given; None where nothing was asked."""

    step: int
    progress: float
    loss: float
    right: float | None
    tokens: int
    seconds: float

    @property
    def reached(self) -> tuple[int, int]:
        """How far the run is, in thousandths, and 1,000."""
        return round(1000 * min(1.0, self.progress)), 1000


class Run:
    """A run of so many steps over a model that has its LoRA factors, with its checkpoint in `out`.

    A kind of run says what a step is: `_backward`.
    """

    CHECKPOINT = "checkpoint.safetensors"

    def __init__(self, base: BaseModel, settings: Settings, steps: int, out: Path):
        self.base, self.settings, self.steps, self.out = base, settings, steps, out
        self.rate = settings.rate
        self.parameters: dict[str, nn.Parameter] = {}
        for name, lora in loras(base.model):
            self.parameters[name + LORA_DOWN], self.parameters[name + LORA_UP] = lora.down, lora.up
        for parameter in self.parameters.values():
            parameter.requires_grad_(True)
        self.optimizer = torch.optim.AdamW(
            list(self.parameters.values()),
            lr=settings.rate,
            betas=(0.9, 0.98),
            weight_decay=0.0,
            fused=base.device.type == "cuda",
        )
        self.merged = Merged(base.model) if base.device.type == "cuda" else None
        self.step, self.seconds = 0, 0.0

    def train(
        self, notify: Callable[[Step], None] = lambda step: None, save_every: int = 200, stop_at: int = 0
    ) -> None:
        """Runs to the last step (or to `stop_at`), from the checkpoint in `out` if there is one."""
        self.resume()
        self.base.model.train()
        clock = time.perf_counter()
        while self.progress < 1 and (not stop_at or self.step < stop_at):
            loss, right, tokens = self._advance()
            now = time.perf_counter()
            self.seconds, clock = self.seconds + now - clock, now
            self.step += 1
            notify(Step(self.step, self.progress, loss, right, tokens, self.seconds))
            if self.step % save_every == 0 or self.progress >= 1:
                self.save()
        self.base.model.eval()

    @property
    def progress(self) -> float:
        """From 0 to 1, of the time where there is a limit, else of the steps."""
        if self.settings.minutes:
            return self.seconds / (60 * self.settings.minutes)
        return self.step / self.steps

    def _advance(self) -> tuple[float, float | None, int]:
        warm, cool = min(1.0, (self.progress + 1 / self.steps) / WARM), max(0.02, 1 - self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * warm * cool
        if self.merged:
            self.merged.begin()
        outcome = self._backward()
        if self.merged:
            self.merged.end()
        nn.utils.clip_grad_norm_(self.parameters.values(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return outcome

    def _backward(self) -> tuple[float, float | None, int]:
        """Adds a step's gradients; its loss, what was right of it, and its tokens. What it takes depends on the seed
        and the step alone."""
        raise NotImplementedError

    def tensors(self) -> dict[str, Tensor]:
        """What an adapter keeps: the factors, in half the bits, as they are small numbers with noise on them."""
        return {name: p.detach().to(torch.bfloat16).cpu() for name, p in self.parameters.items()}

    def save(self) -> None:
        """Keeps the run as it is; `resume` goes on from there."""
        reached = Reached(self.step, self.seconds)
        checkpoint.save(self.out / self.CHECKPOINT, asdict(self.settings), reached, self.parameters, self.optimizer)

    def resume(self) -> None:
        """Goes on from the checkpoint, if there is one. Raises InfinidocError if it is from another kind of run."""
        file, settings = self.out / self.CHECKPOINT, asdict(self.settings)
        if reached := checkpoint.resume(file, settings, self.parameters, self.optimizer, self.base.device):
            self.step, self.seconds = reached.step, reached.seconds
