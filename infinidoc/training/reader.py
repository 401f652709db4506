"""Trains a reader: LoRA factors that stand alone. They are merged to read, and nothing else of a collection depends on
them: not its addresses, not its memories, not its tasks.

A sequence is passages (the right ones among such as recall finds beside them), a question, the answer; the loss is on
the answer, a mean per question. On a processor, where every token counts, further questions on the same passages are
asked behind the same reading of them: a paragraph with ten questions is read once. The same command runs on two cores
and on a GPU, where ten minutes are enough; an interrupted run goes on from its checkpoint as if it had not been.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.model.attention import CompressiveMemory, attach, is_attached
from infinidoc.model.base import BaseModel
from infinidoc.model.lora import add_lora
from infinidoc.model.prompts import ANSWER, REFUSAL, passage_part, question_part
from infinidoc.training import loop
from infinidoc.training.questions import Asked, Questions, holds, reworded

SHOWN_TOKENS = 1_000  # passages of one question: more than `ask` ever shows
UNANSWERABLE = 0.2  # of the questions that have an answer are put without it
DEVICE_TOKENS = {"cuda": 24_576, "cpu": 2_048}  # a forward pass, padding included
TOGETHER = 8  # questions that share a reading of their passages, without a GPU; one can do more at once than that
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
class Settings(loop.Settings):
    """`questions` of a step, of which up to `together` share their passages; `passes` over the data, unless there is a
    time limit. `first_layer` is the lowest with LoRA factors. `rate` belongs to 128 questions a step and falls with the
    square root of their number."""

    first_layer: int = 8
    questions: int = 128
    together: int = 1
    passes: float = 1.0


@dataclass(frozen=True)
class Branch:
    """Token ids of a question and its answer, which begins at `answer`."""

    ids: list[int]
    answer: int


@dataclass(frozen=True)
class Sample:
    """Token ids of passages, and of what is asked behind them, each as if it were the only one."""

    passages: list[int]
    branches: list[Branch]

    @property
    def tokens(self) -> int:
        return len(self.passages) + sum(len(one.ids) for one in self.branches)


class Trainer(loop.Run):
    """A run over `questions`, with its checkpoint in `out`."""

    CHECKPOINT = "reader-checkpoint.safetensors"  # beside that of an adapter's other parts
    settings: Settings

    def __init__(self, base: BaseModel, settings: Settings, questions: Questions, out: Path):
        torch.manual_seed(settings.seed)
        if not is_attached(base.model):
            attach(base.model)
        add_lora(base.model, settings.rank, settings.first_layer, mlp=True)
        self.questions, self.pool = questions, questions.asked
        steps = max(1, round(sum(one.weight for one in self.pool) * settings.passes / settings.questions))
        super().__init__(base, settings, steps, out)
        self.rate *= (settings.questions / 128) ** 0.5
        self.parts: dict[tuple[int, str], list[int]] = {}  # token ids of texts as they are shown
        self.limit = DEVICE_TOKENS.get(base.device.type, DEVICE_TOKENS["cpu"])
        self.steps_ahead: list[list[list[int]]] = []  # groups of questions, by number
        self.filling: list[list[int]] = []  # those of the step after them

    def _backward(self) -> tuple[float, float | None, int]:
        rng = random.Random(f"{self.settings.seed} {self.step}")
        batch = [self.sample(group, rng) for group in self._groups(self.step)]
        asked = sum(len(one.branches) for one in batch)
        losses, rights, tokens = [], [], 0
        for part in micro_batches(batch, self.limit):
            loss, right = self.loss(part)
            (loss.sum() / asked).backward()
            losses.append(loss.detach())
            rights.append(right)
            tokens += sum(one.tokens for one in part)
        return torch.cat(losses).mean().item(), torch.cat(rights).mean().item(), tokens

    def _groups(self, step: int) -> list[list[Asked]]:
        """The questions of a step, those together that share their passages."""
        while len(self.steps_ahead) <= step:
            self._shuffle()
        return [[self.pool[index] for index in group] for group in self.steps_ahead[step]]

    def _shuffle(self) -> None:
        """Another pass over all questions, each as often as it weighs; one brings others on its passages along."""
        rng = random.Random(f"{self.settings.seed} after {len(self.steps_ahead)}")
        times = [int(one.weight) + (rng.random() < one.weight % 1) for one in self.pool]
        order = [index for index, count in enumerate(times) for _ in range(count)]
        rng.shuffle(order)
        waiting: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for index in order:
            waiting[self.pool[index].gold].append(index)
        for index in order:
            if not times[index]:
                continue  # another one brought it along
            same = waiting[self.pool[index].gold] if self.pool[index].gold else []
            others = [one for one in dict.fromkeys(same) if times[one] and one != index]
            group = [index, *others[: self.settings.together - 1]]
            for one in group:
                times[one] -= 1
            self.filling.append(group)
            if sum(map(len, self.filling)) >= self.settings.questions:
                self.steps_ahead.append(self.filling)
                self.filling = []

    def sample(self, group: Sequence[Asked], rng: random.Random) -> Sample:
        """Questions on the same passages as they are put once: behind which others, in which order, in which words."""
        first = group[0]
        gold = list(first.gold)
        can_be_refused = all(one.style == ANSWER for one in group) and len(first.near) >= 3
        if gold and can_be_refused and rng.random() < UNANSWERABLE:
            gold = []
        answered = bool(gold)
        beside = rng.choice([0, 1, 1, 2, 2, 2, 3, 4]) if gold else rng.choice([1, 2, 2, 3, 3, 4])
        # Those of its own document come first in `near`; a few are anything, so that nothing hangs on likeness alone.
        others = [n if rng.random() < 0.9 else rng.randrange(len(self.questions.texts)) for n in first.near]
        if first.gold:
            nearest = others[: max(beside, 5)]
            others = rng.sample(nearest, min(beside, len(nearest)))
        else:  # asked of these very documents
            others = list(first.near)
        others = [n for n in others if n not in first.gold]
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
        return Sample(
            ids, [self._branch(one, rng, answered) for one in group if one is first or self._fits(one, shown, gold)]
        )

    def _fits(self, one: Asked, shown: Sequence[int], gold: Sequence[int]) -> bool:
        """Whether a question is answered by none of the passages that were chosen for another one."""
        return not any(
            holds(self.questions.texts[number].text, answer)
            for number in shown
            if number not in gold
            for answer in one.answers
        )

    def _branch(self, one: Asked, rng: random.Random, answered: bool) -> Branch:
        asked = question_part(self.base, reworded(one.question, rng), one.style)
        answer = rng.choice(one.answers) if answered and one.answers else REFUSAL
        return Branch([*asked, *self.base.encode(answer), self.base.marks[1]], len(asked))

    def _part(self, number: int, titled: bool) -> list[int]:
        text = self.questions.texts[number]
        title = file_name(text.title, number) if titled else ""
        if (number, title) not in self.parts:
            self.parts[number, title] = passage_part(self.base, title, text.text)[:SHOWN_TOKENS]
        return self.parts[number, title]

    def loss(self, batch: Sequence[Sample]) -> tuple[Tensor, Tensor]:
        """Per question (Q,): the mean loss over its answer's tokens, and whether each of them was the likeliest."""
        memory = None
        if len(batch) == 1:  # what is asked of the same passages stands behind one reading of them
            memory, rows = CompressiveMemory(self.base.model).read_only(), batch[0].branches
            self._decode([batch[0].passages], memory)
            memory.reorder_cache(torch.zeros(len(rows), dtype=torch.long, device=self.base.device))
        else:
            rows = [
                Branch(one.passages + branch.ids, len(one.passages) + branch.answer)
                for one in batch
                for branch in one.branches
            ]
        scored = torch.zeros(len(rows), max(len(one.ids) for one in rows), dtype=torch.bool)
        for row, one in enumerate(rows):
            scored[row, one.answer - 1 : len(one.ids) - 1] = True  # the position before predicts a token
        counted = scored.nonzero()[:, 0].to(self.base.device)
        targets = torch.tensor([token for one in rows for token in one.ids[one.answer :]], device=self.base.device)
        hidden = self._decode([one.ids for one in rows], memory)
        logits = self.base.model.lm_head(hidden[scored.to(self.base.device)]).float()
        each = F.cross_entropy(logits, targets, reduction="none")
        counts = torch.zeros(len(rows), device=each.device).index_add(0, counted, torch.ones_like(each))
        losses = torch.zeros(len(rows), device=each.device).index_add(0, counted, each) / counts
        wrong = (logits.argmax(-1) != targets).float()
        return losses, (torch.zeros(len(rows), device=each.device).index_add(0, counted, wrong) == 0).float()

    def _decode(self, rows: Sequence[list[int]], memory: CompressiveMemory | None) -> Tensor:
        """Hidden states (B, N, D). Padding comes last: causal attention hides it from every token that counts."""
        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        for row, one in enumerate(rows):
            ids[row, : len(one)] = torch.tensor(one)
        decoder = self.base.model.get_decoder()
        found: Tensor = decoder(
            input_ids=ids.to(self.base.device), past_key_values=memory, use_cache=memory is not None
        ).last_hidden_state
        return found


def file_name(title: str, number: int) -> str:
    """A title becomes a file's name for half of the texts: the same way whenever this text is shown."""
    style = (number * 7919) % (2 * len(SUFFIXES))
    if title and style < len(SUFFIXES) and "." not in title:
        return title.lower().replace(" ", "-") + SUFFIXES[style]
    return title


def micro_batches(batch: Sequence[Sample], tokens: int) -> Iterator[list[Sample]]:
    """Sequences of like length, as many as make so many tokens with their padding; passages that several questions
    share by themselves."""
    part: list[Sample] = []
    for one in sorted(batch, key=lambda one: (len(one.branches) > 1, -one.tokens)):
        if part and (len(one.branches) > 1 or part[0].tokens * (len(part) + 1) > tokens):
            yield part
            part = []
        part.append(one)
    if part:
        yield part
