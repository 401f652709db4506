"""Trains a reader: LoRA factors that stand alone. They are merged to read, and nothing else of a collection depends on
them: not its addresses, not its memories, not its tasks.

One question a sequence: passages (the right ones among such as recall finds beside them), the question, the answer; the
loss is on the answer, a mean per question. The same command runs on two cores and on a GPU, where ten minutes are
enough; a run that was interrupted goes on from its checkpoint as if it had not been.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infinidoc.model.adapters import LORA_DOWN, LORA_UP
from infinidoc.model.base import BaseModel
from infinidoc.model.lora import Merged, add_lora, loras
from infinidoc.model.prompts import ANSWER, REFUSAL, passage_part, question_part
from infinidoc.training import checkpoint
from infinidoc.training.checkpoint import Reached
from infinidoc.training.questions import Asked, Questions, reworded

CHECKPOINT = "reader-checkpoint.safetensors"  # beside that of an adapter's other parts
WARM_STEPS = 30
SHOWN_TOKENS = 1_000  # passages of one question: more than `ask` ever shows
UNANSWERABLE = 0.2  # of the questions that have an answer are put without it
DEVICE_TOKENS = {"cuda": 24_576, "cpu": 2_048}  # a forward pass, padding included
SUFFIXES = (
    ".md",
    ".pdf, page 2",
    ".docx",
    ".txt",
    ".html",
    ".pdf",
    ".pptx, slide 4",
    ".docx, section 3",
    ".epub",
    ".rst",
)


@dataclass(frozen=True)
class Settings:
    """What decides a run's result, and so must be the same to resume it.

    `questions` of a step; `passes` over the data, or, with `minutes`, as many steps as fit into that time.
    `first_layer` is the lowest with LoRA factors.
    """

    rank: int = 32
    first_layer: int = 8
    rate: float = 1.2e-3
    questions: int = 128
    passes: float = 1.0
    minutes: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Step:
    """`right` is the share of questions whose answer the model would have given, token by token."""

    step: int
    progress: float
    loss: float
    right: float
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Sample:
    """Token ids of a question as it is put once, with its answer, which begins at `answer`."""

    ids: list[int]
    answer: int


class Trainer:
    """A run over `questions`, with its checkpoint in `out`."""

    def __init__(self, base: BaseModel, settings: Settings, questions: Questions, out: Path):
        self.base, self.settings, self.questions, self.out = base, settings, questions, out
        torch.manual_seed(settings.seed)
        add_lora(base.model, settings.rank, settings.first_layer, mlp=True)
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
        self.parts: dict[tuple[int, str], list[int]] = {}  # token ids of texts as they are shown
        self.pool = questions.asked
        self.merged = Merged(base.model) if base.device.type == "cuda" else None
        self.limit = DEVICE_TOKENS.get(base.device.type, DEVICE_TOKENS["cpu"])
        self.order: list[int] = []
        self.step, self.seconds = 0, 0.0
        self.steps = max(1, round(sum(one.weight for one in self.pool) * settings.passes / settings.questions))

    def train(
        self,
        notify: Callable[[Step], None] = lambda step: None,
        save_every: int = 200,
        stop_at: int = 0,
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

    def _advance(self) -> tuple[float, float, int]:
        rng = random.Random(f"{self.settings.seed} {self.step}")
        batch = [self.sequence(one, rng) for one in self._chosen(self.step)]
        warm, cool = min(1.0, (self.step + 1) / WARM_STEPS), max(0.02, 1 - self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate * warm * cool
        if self.merged:
            self.merged.begin()
        losses, rights, tokens = [], [], 0
        for part in micro_batches(batch, self.limit):
            loss, right = self.loss(part)
            (loss.sum() / len(batch)).backward()
            losses.append(loss.detach())
            rights.append(right)
            tokens += sum(len(one.ids) for one in part)
        if self.merged:
            self.merged.end()
        nn.utils.clip_grad_norm_(self.parameters.values(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return torch.cat(losses).mean().item(), torch.cat(rights).mean().item(), tokens

    def _chosen(self, step: int) -> list[Asked]:
        """The questions of a step: every pass shuffles all of them, each as often as it weighs."""
        size = self.settings.questions
        while len(self.order) < (step + 1) * size:
            rng = random.Random(f"{self.settings.seed} after {len(self.order)}")
            times = [int(one.weight) + (rng.random() < one.weight % 1) for one in self.pool]
            order = [index for index, count in enumerate(times) for _ in range(count)]
            rng.shuffle(order)
            self.order += order
        return [self.pool[index] for index in self.order[step * size : (step + 1) * size]]

    def sequence(self, one: Asked, rng: random.Random) -> Sample:
        """A question as it is put once: which passages it stands behind, in which order, and in which words."""
        gold, answers = list(one.gold), one.answers
        can_be_refused = one.style == ANSWER and len(one.near) >= 3
        if gold and can_be_refused and rng.random() < UNANSWERABLE:
            gold, answers = [], ()
        beside = rng.choice([0, 1, 1, 2, 2, 2, 3, 4]) if gold else rng.choice([1, 2, 2, 3, 3, 4])
        # Those of its own document come first in `near`; a few are anything, so that nothing hangs on likeness alone.
        others = [n if rng.random() < 0.9 else rng.randrange(len(self.questions.texts)) for n in one.near]
        if one.gold:
            nearest = others[: max(beside, 5)]
            others = rng.sample(nearest, min(beside, len(nearest)))
        else:  # asked of these very documents
            others = list(one.near)
        others = [n for n in others if n not in one.gold]
        if gold and rng.random() < 0.5:  # the best one last, next to the question, as `ask` shows them
            shown = others + gold
        else:
            shown = gold + others
            rng.shuffle(shown)
        titled = rng.random() < 0.6
        ids = list(self.base.start)
        for number in shown:
            part = self._part(number, titled)
            if len(ids) + len(part) > SHOWN_TOKENS and number not in gold:
                continue
            ids += part
        ids += question_part(self.base, reworded(one.question, rng), one.style)
        answer = rng.choice(answers) if answers else REFUSAL
        return Sample([*ids, *self.base.encode(answer), self.base.marks[1]], len(ids))

    def _part(self, number: int, titled: bool) -> list[int]:
        text = self.questions.texts[number]
        title = file_name(text.title, number) if titled else ""
        if (number, title) not in self.parts:
            self.parts[number, title] = passage_part(self.base, title, text.text)[:SHOWN_TOKENS]
        return self.parts[number, title]

    def loss(self, batch: Sequence[Sample]) -> tuple[Tensor, Tensor]:
        """Per question (Q,): the mean loss over its answer's tokens, and whether each of them was the likeliest."""
        longest = max(len(one.ids) for one in batch)
        ids = torch.zeros(len(batch), longest, dtype=torch.long)
        scored = torch.zeros(len(batch), longest, dtype=torch.bool)
        for row, one in enumerate(batch):
            ids[row, : len(one.ids)] = torch.tensor(one.ids)
            scored[row, one.answer - 1 : len(one.ids) - 1] = True  # the position before predicts a token
        rows = scored.nonzero()[:, 0].to(self.base.device)
        targets = ids[:, 1:][scored[:, :-1]].to(self.base.device)
        # Padding comes last, so causal attention hides it from every token that counts: no mask is needed.
        hidden = self.base.model.get_decoder()(input_ids=ids.to(self.base.device), use_cache=False).last_hidden_state
        logits = self.base.model.lm_head(hidden[scored.to(self.base.device)]).float()
        each = F.cross_entropy(logits, targets, reduction="none")
        counts = torch.zeros(len(batch), device=each.device).index_add(0, rows, torch.ones_like(each))
        losses = torch.zeros(len(batch), device=each.device).index_add(0, rows, each) / counts
        wrong = (logits.argmax(-1) != targets).float()
        return losses, (torch.zeros(len(batch), device=each.device).index_add(0, rows, wrong) == 0).float()

    def tensors(self) -> dict[str, Tensor]:
        """What an adapter keeps: the factors, in half the bits, as they are small numbers with noise on them."""
        return {name: p.detach().to(torch.bfloat16).cpu() for name, p in self.parameters.items()}

    def save(self) -> None:
        """Keeps the run as it is; `resume` goes on from there."""
        reached = Reached(self.step, self.seconds)
        checkpoint.save(self.out / CHECKPOINT, asdict(self.settings), reached, self.parameters, self.optimizer)

    def resume(self) -> None:
        """Goes on from the checkpoint, if there is one. Raises InfinidocError if it is from another kind of run."""
        file, settings = self.out / CHECKPOINT, asdict(self.settings)
        if reached := checkpoint.resume(file, settings, self.parameters, self.optimizer, self.base.device):
            self.step, self.seconds = reached.step, reached.seconds


def file_name(title: str, number: int) -> str:
    """A title becomes a file's name for half of the texts: the same way whenever this text is shown."""
    style = (number * 7919) % (2 * len(SUFFIXES))
    if title and style < len(SUFFIXES) and "." not in title:
        return title.lower().replace(" ", "-") + SUFFIXES[style]
    return title


def micro_batches(batch: Sequence[Sample], tokens: int) -> Iterator[list[Sample]]:
    """Sequences of like length, as many as make so many tokens with their padding."""
    part: list[Sample] = []
    for one in sorted(batch, key=lambda one: -len(one.ids)):
        if part and len(part[0].ids) * (len(part) + 1) > tokens:
            yield part
            part = []
        part.append(one)
    if part:
        yield part
