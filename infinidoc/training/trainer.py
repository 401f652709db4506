"""Trains LoRA factors, gates and write gates of a frozen base model, from checkpoints that resume.

Each step takes one batch of one task; what it takes depends on the step's number alone, so a run that was interrupted
goes on as if it had not been. Several processes (one thread each is best on CPUs, one GPU each elsewhere) work on
batches of their own and average their gradients.
"""

import csv
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from infinidoc.errors import InfinidocError
from infinidoc.model import adapters
from infinidoc.model.adapters import LORA_DOWN, LORA_UP, Adapter
from infinidoc.model.attention import attach, attention_modules
from infinidoc.model.base import BaseModel
from infinidoc.model.kernels import State, pack, unpack
from infinidoc.model.lora import add_lora, loras
from infinidoc.training import checkpoint
from infinidoc.training.batches import divergence, gather, run
from infinidoc.training.checkpoint import Reached
from infinidoc.training.corpus import plain
from infinidoc.training.examples import TrainingExample

CHECKPOINT, LOG = "checkpoint.safetensors", "log.csv"
COLUMNS = ["step", "task", "loss", "right", "tokens", "seconds"]
BACKGROUND_DECAY = 0.95
KEEP_TOKENS = 512  # of a text on which the model is held to the base: as long as a segment, or its end drifts away
GATE_BIAS, WRITE_BIAS = -2.0, 2.0  # gates begin a little open, or no gradient would ever reach them
# Gates learn 30 times faster than LoRA, or they never move (DESIGN.md, 1); nothing decays.
RATES = {"lora": 1e-3, "gate": 3e-2, "token": 1e-3}

Maker = Callable[[random.Random, float], TrainingExample]  # (generator, how far the run is: 0 to 1)


@dataclass(frozen=True)
class Settings:
    """What decides a run's result, and so must be the same to resume it. `tasks` weighs tasks by name."""

    kernel: str = "least_squares"
    first_layer: int = 8
    rank: int = 8
    mlp: bool = False
    steps: int = 1000
    batch_tokens: int = 2000
    rate: float = 1.0  # times RATES
    token_rate: float = 3.0  # times the rate of what reads hidden states: token gates and write gates
    seed: int = 0
    processes: int = 1
    tasks: dict[str, float] = field(default_factory=dict)
    keep: float = 1.0  # times the loss of the task "keep"
    init: list[str] = field(default_factory=list)
    hard_from: float = 0.0  # how far the tasks' difficulty is at the first step


@dataclass(frozen=True)
class Step:
    step: int
    task: str
    loss: float
    right: float
    tokens: int
    seconds: float


class Trainer:
    """One process of a run. `makers` make the examples of each task; the task "keep" is the distance from the base."""

    def __init__(self, base: BaseModel, settings: Settings, makers: Mapping[str, Maker], out: Path, rank: int = 0):
        unknown = set(settings.tasks) - set(makers) - {"keep"}
        if unknown:
            raise InfinidocError(
                f"no task {', '.join(sorted(unknown))}", f"choose of {', '.join(sorted(makers))}, keep"
            )
        self.base, self.settings, self.makers, self.out, self.rank = base, settings, makers, out, rank
        torch.manual_seed(settings.seed)
        attach(base.model, settings.kernel, settings.first_layer)
        add_lora(base.model, settings.rank, settings.first_layer, settings.mlp)
        self.parameters = trainable(base, settings)
        self.optimizer = torch.optim.AdamW(
            [
                {
                    "params": list(group.values()),
                    "rate": RATES[name] * (settings.token_rate if name == "token" else 1.0),
                }
                for name, group in by_rate(self.parameters).items()
            ],
            betas=(0.9, 0.98),
            weight_decay=0.0,
        )
        # A step without use for a parameter gives it a gradient of zero, not none: a run that resumes must not differ.
        for parameter in self.parameters.values():
            parameter.grad = torch.zeros_like(parameter)
        self.kept: dict[str, Tensor] = {}  # what an adapter to start from has beside: its address head
        self.begin([adapters.load(adapters.find(name)) for name in settings.init])
        self.step = 0
        self.seconds = 0.0
        self.background: list[State] | None = None

    def train(self, notify: Callable[[Step], None] = lambda step: None, save_every: int = 50, stop_at: int = 0) -> None:
        """Runs to the last step (or to `stop_at`), from the checkpoint in `out` if there is one."""
        self.resume()
        last = min(stop_at or self.settings.steps, self.settings.steps)
        while self.step < last:
            began = time.perf_counter()
            task, loss, right, tokens = self._advance()
            self.seconds += time.perf_counter() - began
            self.step += 1
            done = Step(self.step, task, loss, right, tokens, self.seconds)
            if self.rank == 0:
                self._log(done)
                notify(done)
            if self.step % save_every == 0 or self.step == last:
                self.save()

    def _advance(self) -> tuple[str, float, float, int]:
        settings = self.settings
        rng = random.Random(f"{settings.seed} {self.rank} {self.step}")
        progress = self.step / settings.steps
        task = rng.choices(list(settings.tasks), list(settings.tasks.values()))[0]
        if task == "keep":
            texts = [plain(rng, 1500) for _ in range(max(1, settings.batch_tokens // KEEP_TOKENS))]
            loss = settings.keep * divergence(self.base, texts, KEEP_TOKENS)
            right, tokens = 0.0, 0
        else:
            make = self.makers[task]
            difficulty = settings.hard_from + (1 - settings.hard_from) * progress
            examples = gather(lambda: make(rng, difficulty), self.base, settings.batch_tokens)
            outcome = run(self.base, examples, self.background)
            loss, right, tokens = outcome.loss, outcome.right, outcome.tokens
            if outcome.prose is not None:
                self.background = _blend(self.background, outcome.prose)
        loss.backward()
        self._average()
        nn.utils.clip_grad_norm_(self.parameters.values(), 1.0)
        warm, cool = min(1.0, (self.step + 1) / 20), max(0.05, 1 - progress)
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * settings.rate * warm * cool
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)
        return task, loss.item(), right, tokens

    def _average(self) -> None:
        if self.settings.processes == 1:
            return
        flat = torch.cat([p.grad.flatten() for p in self.parameters.values() if p.grad is not None])
        dist.all_reduce(flat)
        flat /= self.settings.processes
        offset = 0
        for parameter in self.parameters.values():
            assert parameter.grad is not None
            parameter.grad.copy_(flat[offset : offset + parameter.numel()].view_as(parameter))
            offset += parameter.numel()

    def _log(self, done: Step) -> None:
        file = self.out / LOG
        fresh = not file.exists()
        with file.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS)
            if fresh:
                writer.writeheader()
            writer.writerow({k: round(v, 5) if isinstance(v, float) else v for k, v in asdict(done).items()})

    def save(self) -> None:
        """Weights, the optimiser's moments and every process's background, in one file that replaces the last one.

        The first process writes it, and no other goes on before: all resume from the same step.
        """
        backgrounds = self._gathered(pack(self.background or []))
        if self.rank == 0:
            more = {_background(rank) + name: t for rank, found in enumerate(backgrounds) for name, t in found.items()}
            reached = Reached(self.step, self.seconds, more)
            checkpoint.save(self.out / CHECKPOINT, asdict(self.settings), reached, self.parameters, self.optimizer)
        if self.settings.processes > 1:
            dist.barrier()

    def resume(self) -> None:
        """Goes on from the checkpoint, if there is one. Raises InfinidocError if it is from another kind of run."""
        self.out.mkdir(parents=True, exist_ok=True)
        file, settings = self.out / CHECKPOINT, asdict(self.settings)
        if reached := checkpoint.resume(file, settings, self.parameters, self.optimizer, self.base.device):
            self.step, self.seconds = reached.step, reached.seconds
            prefix, more = _background(self.rank), reached.more
            mine = {name.removeprefix(prefix): tensor for name, tensor in more.items() if name.startswith(prefix)}
            self.background = unpack(mine) or None

    def _gathered(self, tensors: dict[str, Tensor]) -> list[dict[str, Tensor]]:
        """What every process has, by rank: for the first of them."""
        if self.settings.processes == 1:
            return [tensors]
        found: list[dict[str, Tensor]] = [{}] * self.settings.processes
        dist.gather_object(tensors, None if self.rank else found)
        return found

    @torch.no_grad()
    def begin(self, start: Sequence[Adapter]) -> None:
        """Starts from adapters: their LoRA factors side by side, so that their changes add up; gates as they have them.

        Raises InfinidocError if they don't fit into this run.
        """
        used: Counter[str] = Counter()  # how many of a LoRA's rows are taken
        for adapter in start:
            for name, tensor in adapter.tensors.items():
                if name.startswith(adapters.HEAD):
                    self.kept[name] = tensor
                    continue
                mine = self.parameters.get(name)
                at, rank = used[name], min(tensor.shape)
                if mine is None or (at + rank > self.settings.rank and name.endswith((LORA_DOWN, LORA_UP))):
                    raise InfinidocError(f"{adapter.card.name} has no room in this run ({name})", "raise --rank")
                if name.endswith(LORA_DOWN):
                    mine[at : at + rank] = tensor
                elif name.endswith(LORA_UP):
                    mine[:, at : at + rank] = tensor
                else:
                    mine.copy_(tensor)
                used[name] += rank

    def tensors(self) -> dict[str, Tensor]:
        """What an adapter keeps. LoRA factors in half the bits: they are small numbers with noise on them.

        A run that told nothing has not trained its gates, and leaves them closed.
        """
        small = {
            name: p.detach().to(torch.bfloat16 if name.endswith((LORA_DOWN, LORA_UP)) else torch.float32)
            for name, p in self.parameters.items()
        }
        if not self.remembers:
            small = {name: tensor for name, tensor in small.items() if ".infini." not in name}
        return small | self.kept

    @property
    def remembers(self) -> bool:
        """Whether the run trains the compressive memory."""
        return bool(set(self.settings.tasks) - {"reading", "keep"})

    @property
    def parts(self) -> list[str]:
        """The parts of the adapter that the run makes."""
        return [
            *([adapters.ADDRESS_HEAD] if self.kept else []),
            *([adapters.READER] if "reading" in self.settings.tasks else []),
            *([adapters.MEMORY] if self.remembers else []),
        ]


def trainable(base: BaseModel, settings: Settings) -> dict[str, nn.Parameter]:
    """What is trained, by its name in an adapter. Opens the gates of the layers that remember."""
    found: dict[str, nn.Parameter] = {}
    for name, lora in loras(base.model):
        found[name + LORA_DOWN], found[name + LORA_UP] = lora.down, lora.up
    for index, module in enumerate(attention_modules(base.model)):
        if index < settings.first_layer:
            continue
        with torch.no_grad():
            module.infini.gate_bias.fill_(GATE_BIAS)
            module.infini.write_bias.fill_(WRITE_BIAS)
        found |= {f"layers.{index}.infini.{name}": p for name, p in module.infini.named_parameters()}
    for parameter in found.values():
        parameter.requires_grad_(True)
    return found


def by_rate(parameters: Mapping[str, nn.Parameter]) -> dict[str, dict[str, nn.Parameter]]:
    groups: dict[str, dict[str, nn.Parameter]] = {name: {} for name in RATES}
    for name, parameter in parameters.items():
        if name.endswith(("gate_bias", "ridge_bias")):
            groups["gate"][name] = parameter
        elif ".infini." in name:
            groups["token"][name] = parameter
        else:
            groups["lora"][name] = parameter
    return {name: group for name, group in groups.items() if group}


def _background(rank: int) -> str:
    """What the names of a process's background begin with in a checkpoint."""
    return f"background{rank or ''}."


def _blend(background: list[State] | None, new: list[State]) -> list[State]:
    if background is None:
        return new

    def blend(a: Tensor, b: Tensor) -> Tensor:
        return BACKGROUND_DECAY * a + (1 - BACKGROUND_DECAY) * b

    return [
        State(*(blend(a, b) for a, b in zip(old.tensors().values(), now.tensors().values(), strict=True)))
        for old, now in zip(background, new, strict=True)
    ]
