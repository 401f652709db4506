"""Addresses: a short int8 vector per token, by which a question finds the passages it needs.

A token's address is its hidden state where it enters the attention of an early layer, standardised, projected and
normalised. A question meets a passage token by token (late interaction, as in ColBERT, arXiv 2004.12832): for each of
the question's tokens the best cosine over the passage's tokens, averaged with a weight per question token.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from infinidoc.model.base import BaseModel
from infinidoc.model.decoder import Model
from infinidoc.model.passes import single_pass

if TYPE_CHECKING:
    from infinidoc.model.codes import Codes

LAYER = 8  # of SmolLM2's 30: measured best (6 to 10 are close, 12 to 17 worse); its share of other models' depths
DEPTH = 30
DIMENSIONS = 128
SCALE = 127.0
# A question word's weight is how surprising it would be to meet it in a passage of this many tokens.
TYPICAL_PASSAGE = 160
QUESTION = "Question:"  # sets the question's hidden states to "something is being asked"; scores 1 to 2 points better
# Of 612 XQuAD questions, 2.6 % score less with their own article in reach, and 88 % without it (benchmarks/recall.py).
UNTRAINED_THRESHOLD = 0.44
# Of what its document's opening has and it lacks, a passage is given INTRODUCED if it adds ADDED of a score to the
# opening, else a part of that. Chosen on tales, papers and articles (docs/measurements.md).
INTRODUCED, ADDED = 0.9, 0.05
BLOCK = 4_096  # addresses that a core compares at once: their float32 copies stay in its cache
LONGEST = 1.05  # an address, as a vector: a unit one whose 128 numbers were each rounded by 1/254 at most
LEVELS = 64  # of a rounded question: AVX2 adds pairs of products in 16 bits, and 2 · 255 · 64 still fits
COLUMNS = 8  # that products of integers compute at once
HEAVY = 0.99  # of its weight that a rounded question keeps


@dataclass(frozen=True)
class AddressHead:
    """Maps hidden states to addresses. `layer` is where they are taken; hidden size D, vocabulary V.

    mean, std (D,) standardise; projection (D, 128) is for passages, question_projection (D, 128) for questions. A
    question token weighs token_weights (V,), by its id, times exp(state · state_weights (D,)). A best score below
    `threshold` means that no passage bears on the question.
    """

    layer: int
    threshold: float
    mean: Tensor
    std: Tensor
    projection: Tensor
    question_projection: Tensor
    token_weights: Tensor
    state_weights: Tensor

    def tensors(self) -> dict[str, Tensor]:
        return {field.name: torch.as_tensor(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "AddressHead":
        tensors = {field.name: tensors[field.name] for field in fields(cls)}
        return cls(int(tensors.pop("layer")), float(tensors.pop("threshold")), **tensors)

    def to(self, device: torch.device) -> "AddressHead":
        """The same head on another device, where it then computes."""
        return AddressHead.from_tensors({name: tensor.to(device) for name, tensor in self.tensors().items()})

    def standardised(self, states: Tensor) -> Tensor:
        """Hidden states (…, D) to zero mean and unit deviation per dimension."""
        return (states.float().to(self.mean.device) - self.mean) / self.std

    def project(self, states: Tensor) -> Tensor:
        """A passage's hidden states (…, D) to unit vectors (…, 128)."""
        return F.normalize(self.standardised(states) @ self.projection, dim=-1)

    def addresses(self, states: Tensor) -> Tensor:
        """A passage's hidden states (…, D) to addresses (…, 128) int8: unit vectors times 127."""
        return (self.project(states) * SCALE).round().to(torch.int8)

    def question(self, ids: Sequence[int], states: Tensor) -> tuple[Tensor, Tensor]:
        """A question's token ids (N) and hidden states (N, D) to unit vectors (N, 128) and weights (N,), of sum 1."""
        standardised = self.standardised(states)
        weights = self.token_weights[torch.tensor(ids)] * (standardised @ self.state_weights).exp()
        vectors = F.normalize(standardised @ self.question_projection, dim=-1)
        return vectors, weights / weights.sum().clamp(min=1e-9)


def address_layer(model: Model) -> int:
    return min(round(LAYER / DEPTH * model.config.get_text_config(decoder=True).num_hidden_layers), LAYER)


def early_states(model: Model, layer: int, ids: Tensor) -> Tensor:
    """Hidden states (B, N, D) that enter a layer's attention, running only the layers below it. ids (B, N)."""
    states = single_pass(model, ids, layer, remember=range(0)).layers[layer].entering
    assert states is not None
    return states


@torch.no_grad()
def untrained_head(base: BaseModel, layer: int | None = None) -> AddressHead:
    """A head that needs no training: an orthogonal projection with a fixed seed, calibrated on a page of text.

    The page gives the mean and deviation of the hidden states, and the model's own idea of how common each token is:
    its next-token probabilities, averaged. −log(1 − (1 − p)^160) is then the surprise of finding a token of
    probability p in a passage, the inverse document frequency that BM25 would count in a very large collection.
    On XQuAD (612 questions, 120 paragraphs) it puts 0.946 of the right paragraphs first (benchmarks/recall.py), equal
    weights 0.912.
    """
    page = files(__package__).joinpath("calibration.txt").read_text(encoding="utf-8").split("%%\n")
    layer = address_layer(base.model) if layer is None else layer
    states, probability = [], torch.zeros(base.model.config.get_text_config(decoder=True).vocab_size)
    tokens = 0
    for text in page:
        ids = torch.tensor([[*base.start, *base.encode(text.strip("\n"))]], device=base.device)
        states.append(early_states(base.model, layer, ids)[0, len(base.start) :].float().cpu())
        predicted = base.model(ids, use_cache=False).logits[0].float().softmax(-1)
        probability += predicted.sum(0).cpu()
        tokens += len(predicted)
    seen = torch.cat(states)
    absent = (TYPICAL_PASSAGE * torch.log1p(-(probability / tokens).double().clamp(1e-12, 1 - 1e-6))).exp()
    generator = torch.Generator().manual_seed(0)
    square = torch.randn(seen.shape[1], min(DIMENSIONS, seen.shape[1]), generator=generator)
    projection, _ = torch.linalg.qr(square)
    if projection.shape[1] < DIMENSIONS:  # a toy model, narrower than an address
        projection = F.pad(projection, (0, DIMENSIONS - projection.shape[1]))
    std = seen.std(0).clamp(min=1e-6)
    surprise = -torch.log1p(-absent).float()
    plain = torch.zeros(seen.shape[1])
    return AddressHead(layer, UNTRAINED_THRESHOLD, seen.mean(0), std, projection, projection.clone(), surprise, plain)


@torch.no_grad()
def question_vectors(base: BaseModel, head: AddressHead, question: str) -> tuple[Tensor, Tensor]:
    """A question as unit vectors (N, 128) and their weights (N,)."""
    prefix, ids = [*base.start, *base.encode(QUESTION)], base.encode(" " + question.strip())
    states = early_states(base.model, head.layer, torch.tensor([[*prefix, *ids]], device=base.device))
    return head.question(ids, states[0, len(prefix) :])


def score(question: Tensor, weights: Tensor, addresses: "Tensor | Codes", rows: Sequence[int]) -> Tensor:
    """Late interaction of a question (N, 128) with passages, as `best_cosines` has them.

    Returns one score per passage, at most 1: Σ weight · max over the passage's tokens of the cosine.
    """
    return weights @ best_cosines(question, addresses, rows)


def best_cosines(
    question: Tensor, addresses: "Tensor | Codes", rows: Sequence[int], only: Sequence[int] | None = None
) -> Tensor:
    """How well passages have each token of a question (N, 128): (N, P), the best cosine over a passage's tokens.

    Passage i owns rows[i]:rows[i + 1] of addresses (R, 128); of `only` those passages, ascending.
    """
    scaled = question / SCALE
    return _best(lambda part: scaled @ part.float().T, len(question), addresses, rows, only)


def _best(
    compare: Callable[[Any], Tensor],
    count: int,
    addresses: "Tensor | Codes",
    rows: Sequence[int],
    only: Sequence[int] | None,
) -> Tensor:
    """The best of each passage, (count, P), where `compare` takes addresses (R, 128) to (count, R)."""
    bounds = np.array([*rows, len(addresses)])
    kept = np.arange(len(rows)) if only is None else np.asarray(only, dtype=int)
    starts, sizes = bounds[kept], bounds[kept + 1] - bounds[kept]
    totals, found = np.array([0, *np.cumsum(sizes)]), torch.empty(count, len(kept))
    first = 0
    while first < len(kept):  # whole passages, about BLOCK rows at a time: what is made of them stays small
        last = max(first + 1, int(np.searchsorted(totals, totals[first] + BLOCK, side="right")) - 1)
        places = totals[first:last] - totals[first]
        if starts[last - 1] - starts[first] == places[-1]:  # they follow each other
            part = addresses[starts[first] : starts[last - 1] + sizes[last - 1]]
        else:
            own = np.repeat(starts[first:last] - places, sizes[first:last])
            part = addresses.index_select(0, torch.from_numpy(own + np.arange(len(own))))
        found[:, first:last] = torch.from_numpy(np.maximum.reduceat(compare(part).numpy(), places, axis=1))
        first = last
    return found


@dataclass(frozen=True)
class RoughQuestion:
    """A question (N, 128) of which the K tokens that weigh most are rounded to 7 bits: it is compared with addresses in
    integers, which is faster, and off by no more than it knows.

    `heaviest` (K,) are those tokens, `columns` (128, K or some zeros more) int8 times `steps` (K,) their vectors. The
    cosine of token n with any address is off by `margins[n]` at most; that of a token which is left out counts as 0.
    """

    heaviest: Tensor
    columns: Tensor
    steps: Tensor
    margins: Tensor

    @classmethod
    def of(cls, question: Tensor, weights: Tensor) -> "RoughQuestion":
        ordered = weights.sort(descending=True)
        needed = int((ordered.values.cumsum(0) < HEAVY * weights.sum()).sum()) + 1
        heaviest = ordered.indices[: -(-needed // COLUMNS) * COLUMNS]
        vectors = question[heaviest]
        steps = vectors.abs().amax(1).clamp(min=1e-9) / LEVELS
        columns = (vectors / steps[:, None]).round()
        margins = question.norm(dim=1)
        margins[heaviest] = (vectors - columns * steps[:, None]).norm(dim=1)
        padding = -len(heaviest) % COLUMNS
        return cls(heaviest, F.pad(columns, (0, 0, 0, padding)).to(torch.int8).T.contiguous(), steps, LONGEST * margins)

    def best_cosines(self, addresses: Tensor, rows: Sequence[int], only: Sequence[int] | None = None) -> Tensor:
        """`best_cosines` of int8 addresses, nearly: (N, P)."""
        width = self.columns.shape[1]
        best = _best(lambda part: torch._int_mm(part, self.columns).T, width, addresses, rows, only)
        found = torch.zeros(len(self.margins), best.shape[1])
        found[self.heaviest] = best[: len(self.heaviest)] * (self.steps / SCALE)[:, None]
        return found


def introduced(weights: Tensor, cosines: Tensor, opening: Tensor, margins: Tensor | float = 0.0) -> Tensor:
    """Scores (P,), at most 1, of passages that have a question's tokens, of weights (N,), so well (N, P), where the
    openings of their documents have them so well (N, P). An opening by itself has Σ weight · cosine, as in `score`.

    Where all these cosines may be off by `margins` (N, 1): what the scores are at most, and, for −margins, at least.
    (A score grows with the passage's cosines, and with those of its opening in `missed`; it shrinks with them in
    `added`.)
    """
    missed = weights @ (INTRODUCED * opening - cosines).clamp(min=0)
    added = weights @ (cosines - opening + 2 * margins).clamp(min=0)
    return weights @ (cosines + margins) + missed * (added / ADDED).clamp(max=1)
