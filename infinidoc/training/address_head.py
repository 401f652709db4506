"""Trains an address head: which passage does a question need? Minutes on two cores, over cached hidden states.

Late interaction (ColBERT, arXiv 2004.12832) between learned projections of the frozen model's early states, from where
the untrained head stands: cross-entropy over the passages of the batch, the right one against all others. Only the
layers below the head's run, and once per text.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infinidoc.made.passages import cloze, kinds, typos
from infinidoc.made.passages import passage as generated_passage
from infinidoc.model.addresses import QUESTION, AddressHead, early_states, untrained_head
from infinidoc.model.base import BaseModel
from infinidoc.model.encoding import side_by_side
from infinidoc.training.corpus import Corpus, prose, sentences, written, xquad
from infinidoc.training.questions import Questions, reworded

ALIKE = 0.5  # of a batch's questions are on passages of one article or kind
OTHERS, SIBLINGS = 0.25, 0.6  # per question, passages that nobody in the batch asks about: any, and such as are near
REAL = 2  # how often a real question counts
ENCODED_TOKENS = {"cuda": 65_536, "cpu": 2_048}  # run side by side when states are cached
KEPT = 0.98  # the share of answerable questions that the threshold lets through


@dataclass(frozen=True)
class Settings:
    """`dimensions` of an address; `made` how many generated passages and `cut` how many pieces of prose to train on;
    `batch` how many questions a step compares."""

    dimensions: int = 128
    layer: int | None = None
    steps: int = 800
    rate: float = 1e-3
    made: int = 600
    cut: int = 150
    batch: int = 24
    seed: int = 0


@dataclass(frozen=True)
class Pairs:
    """Texts, and questions (text, index of its passage).

    Hard to tell apart are the passages of one group (an article, a kind of document), and for a question those that are
    `near` (by its index).
    """

    passages: list[str]
    questions: list[tuple[str, int]]
    groups: list[int] = field(default_factory=list)
    near: dict[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class States:
    """Standardised hidden states of each text, without the start and prefix tokens; ids beside them."""

    passages: list[Tensor]
    questions: list[tuple[list[int], Tensor]]
    right: list[int]
    groups: list[int]
    near: dict[int, tuple[int, ...]] = field(default_factory=dict)


def training_pairs(settings: Settings, more: Questions | None = None) -> Pairs:
    """Real questions, generated ones, gaps in sentences, and sentences that were taken out of their passage; and those
    of `more` that one passage answers."""
    rng = random.Random(settings.seed)
    passages: list[str] = []
    questions: list[tuple[str, int]] = []
    groups: list[int] = []
    for corpus in (xquad(held_out=False), written()):
        for article in corpus.articles:
            group = groups[-1] + 1 if groups else 0
            for text in article:
                for asked in corpus.on(text):
                    questions += [(asked.text, len(passages))] * REAL
                    questions.append((typos(asked.text, rng), len(passages)))
                passages.append(text)
                groups.append(group)
    articles = groups[-1] + 1
    names = sorted(kinds())
    for number in range(settings.made):
        made = generated_passage(rng, names[number % len(names)])
        for one in made.asked:
            questions.append((typos(one.question, rng) if rng.random() < 0.2 else one.question, len(passages)))
        passages.append(made.text)
        groups.append(articles + number % len(names))
    for text in rng.sample(prose(), settings.cut):
        pieces = sentences(text)[:8]
        if len(pieces) < 4:
            continue
        taken = pieces.pop(rng.randrange(len(pieces)))
        questions.append((taken[:200], len(passages)))
        if gap := cloze(pieces, rng):
            questions.append((gap.question, len(passages)))
        passages.append(" ".join(pieces)[:800])
        groups.append(articles + len(names))
    near: dict[int, tuple[int, ...]] = {}
    if more:
        first = len(passages)
        passages += [text.text for text in more.texts]
        # One group: pieces of one text overlap, and would be wrong to tell apart; what is near was chosen with care.
        groups += [articles + len(names) + 1] * len(more.texts)
        for item in more.asked:
            if len(item.gold) == 1 and item.source != "articles" and rng.random() < item.weight:
                near[len(questions)] = tuple(first + number for number in item.near)
                questions.append((reworded(item.question, rng), first + item.gold[0]))
    return Pairs(passages, questions, groups, near)


def real_pairs(held_out: Corpus, *others: Corpus) -> Pairs:
    """The questions on held-out articles, over the paragraphs of all."""
    passages = [*held_out.paragraphs, *(text for corpus in others for text in corpus.paragraphs)]
    return Pairs(passages, [(asked.text, passages.index(asked.paragraph)) for asked in held_out.questions])


def cached_states(base: BaseModel, head: AddressHead, pairs: Pairs, notify: Callable[[int, int], None]) -> States:
    """Runs the early layers over every text, once. `notify` gets how many texts are done, and how many there are."""
    passages = [base.encode(text) for text in pairs.passages]
    prefix = base.encode(QUESTION)
    questions = [(*prefix, *base.encode(" " + " ".join(text.split()))) for text, _ in pairs.questions]
    distinct = list(dict.fromkeys(questions))  # some count several times
    total = len(passages) + len(distinct)
    found = _states(base, head, passages, lambda done: notify(done, total))
    asked = _states(base, head, distinct, lambda done: notify(len(passages) + done, total))
    states, skipped = dict(zip(distinct, asked, strict=True)), len(prefix)
    return States(
        found,
        [(list(ids[skipped:]), states[ids][skipped:]) for ids in questions],
        [right for _, right in pairs.questions],
        pairs.groups,
        pairs.near,
    )


@torch.no_grad()
def _states(
    base: BaseModel, head: AddressHead, texts: Sequence[Sequence[int]], notify: Callable[[int], None]
) -> list[Tensor]:
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    limit = ENCODED_TOKENS.get(base.device.type, ENCODED_TOKENS["cpu"])
    found: dict[int, Tensor] = {}
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and len(texts[order[end]]) * (end + 1 - start) <= limit:
            end += 1
        batch = order[start:end]
        ids, _ = side_by_side([texts[index] for index in batch], base.start)
        states = head.standardised(early_states(base.model, head.layer, ids.to(base.device)))
        for row, index in enumerate(batch):
            first = len(base.start)
            found[index] = states[row, first : first + len(texts[index])].to(torch.bfloat16)
        notify(end)
        start = end
    return [found[index] for index in range(len(texts))]


class Projections(nn.Module):
    """What is trained: two projections (D, d) and the weight of a question's tokens."""

    def __init__(self, head: AddressHead, dimensions: int):
        super().__init__()
        self.passage = nn.Parameter(head.projection[:, :dimensions].clone())
        self.question = nn.Parameter(head.question_projection[:, :dimensions].clone())
        self.weigh = nn.Parameter(head.state_weights.clone())
        self.surprise = nn.Parameter(torch.tensor(1.0))
        self.temperature = nn.Parameter(torch.tensor(3.0))
        self.tokens: Tensor
        self.register_buffer("tokens", head.token_weights)

    def score(self, questions: Sequence[tuple[list[int], Tensor]], passages: Sequence[Tensor]) -> Tensor:
        """Scores (Q, P) of questions against passages, each at most 1.

        Only a question token's best match in a passage has a gradient, so the others are compared without one.
        """
        asked, told = torch.cat([states for _, states in questions]).float(), torch.cat(list(passages)).float()
        sizes = torch.tensor([len(ids) for ids, _ in questions], device=asked.device)
        owners = torch.arange(len(sizes), device=asked.device).repeat_interleave(sizes)
        ids = torch.tensor([token for tokens, _ in questions for token in tokens], device=asked.device)
        ours = F.normalize(asked @ self.question, dim=-1)
        theirs = F.normalize(told @ self.passage, dim=-1)
        with torch.no_grad():
            found, first = [], 0
            for cosines in (ours @ theirs.T).split([len(passage) for passage in passages], dim=1):
                found.append(cosines.argmax(1) + first)
                first += cosines.shape[1]
        best = torch.einsum("ad,apd->ap", ours, theirs[torch.stack(found, 1)])
        logits = asked @ self.weigh + self.surprise * self.tokens[ids].clamp(min=1e-6).log()
        weights = torch.cat([part.softmax(0) for part in logits.split(sizes.tolist())])
        return best.new_zeros(len(sizes), len(passages)).index_add(0, owners, best * weights[:, None])


def train(
    base: BaseModel,
    settings: Settings,
    notify: Callable[[str, int, int, float], None] = lambda *_: None,
    more: Questions | None = None,
) -> AddressHead:
    """Trains a head from the untrained one. `notify` gets what is done, how far, of how much, and the loss."""
    torch.manual_seed(settings.seed)
    head = untrained_head(base, settings.layer).to(base.device)
    pairs = training_pairs(settings, more)
    states = cached_states(base, head, pairs, lambda done, total: notify("states", done, total, 0.0))
    trained = fit(head, states, settings, lambda step, loss: notify("steps", step, settings.steps, loss))
    return trained.to(torch.device("cpu"))


def fit(
    head: AddressHead, states: States, settings: Settings, notify: Callable[[int, float], None] = lambda *_: None
) -> AddressHead:
    """Trains projections on cached states, and chooses the threshold on the same passages."""
    device = head.mean.device
    model = Projections(head, settings.dimensions).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.rate, weight_decay=0.05)
    asked_in: dict[int, list[int]] = defaultdict(list)  # the questions of a group, and the passages
    told_in: dict[int, list[int]] = defaultdict(list)
    for index, right in enumerate(states.right):
        asked_in[states.groups[right]].append(index)
    for index, group in enumerate(states.groups):
        told_in[group].append(index)
    alike = round(settings.batch * ALIKE)
    groups = sorted(group for group, members in asked_in.items() if len(members) >= alike) or sorted(asked_in)
    for step in range(settings.steps):
        rng = random.Random(f"{settings.seed} {step}")
        near = asked_in[rng.choice(groups)]
        batch = rng.sample(near, min(alike, len(near))) + rng.sample(
            range(len(states.questions)), min(settings.batch - alike, len(states.questions))
        )
        wanted = list(dict.fromkeys(states.right[index] for index in batch))
        families = sorted({states.groups[right] for right in wanted})
        siblings = [i for f in families for i in rng.sample(told_in[f], min(8, len(told_in[f])))]
        for index in batch:
            close = states.near.get(index, ())
            siblings += rng.sample(close, min(2, len(close)))
        others = rng.sample(siblings, min(round(SIBLINGS * settings.batch), len(siblings)))
        others += rng.sample(range(len(states.passages)), min(round(OTHERS * settings.batch), len(states.passages)))
        shown = list(dict.fromkeys([*wanted, *others]))
        scores = model.score([states.questions[i] for i in batch], [states.passages[i] for i in shown])
        loss = F.cross_entropy(
            scores * model.temperature.exp(),
            torch.tensor([shown.index(states.right[i]) for i in batch], device=device),
        )
        optimizer.zero_grad()
        loss.backward()
        for parameters in optimizer.param_groups:
            parameters["lr"] = settings.rate * min(1.0, (step + 1) / 20) * max(0.05, 1 - step / settings.steps)
        optimizer.step()
        notify(step + 1, loss.item())
    with torch.no_grad():
        tokens = (head.token_weights.clamp(min=1e-6).log() * model.surprise).exp()
        trained = replace(
            head,
            projection=model.passage.detach().clone(),
            question_projection=model.question.detach().clone(),
            token_weights=tokens,
            state_weights=model.weigh.detach().clone(),
        )
        return replace(trained, threshold=_threshold(model, states))


@torch.no_grad()
def scores_of(model: Projections, states: States, questions: Sequence[int]) -> Tensor:
    """Scores (len(questions), passages), in blocks."""
    rows = []
    for first in range(0, len(questions), 32):
        asked = [states.questions[index] for index in questions[first : first + 32]]
        blocks = [model.score(asked, states.passages[n : n + 64]) for n in range(0, len(states.passages), 64)]
        rows.append(torch.cat(blocks, 1))
    return torch.cat(rows)


def _threshold(model: Projections, states: States) -> float:
    """The score that all but a few questions reach with the passage that they need."""
    questions = range(0, len(states.questions), max(1, len(states.questions) // 600))
    own = [model.score([states.questions[i]], [states.passages[states.right[i]]]).item() for i in questions]
    return float(torch.tensor(own).quantile(1 - KEPT))


def places(scores: Tensor, right: Sequence[int]) -> Tensor:
    """The place (0 is first) that each question's own passage has."""
    own = scores.gather(1, torch.tensor(right)[:, None])
    return (scores > own).sum(1)
