"""From fitted examples to labels: scores, calibrated probabilities, what lies outside, and which examples decided."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from infinidoc.manyshot.ridge import solve

KEPT = 0.98  # of the task's own texts, that the threshold lets pass
FEW = 20  # left-out examples that a calibration needs
SHARPNESS = 8.0  # of the probabilities, where there are too few examples to calibrate it
SHARPNESSES = torch.logspace(-0.5, 2.5, 200)


@dataclass(frozen=True)
class Deciding:
    """An example and its part in a prediction's score: what it adds by being nearer to the text, or further from it,
    than examples are on average. The parts of all examples add up to the score, less what any text would get."""

    input: str
    label: str
    weight: float


@dataclass(frozen=True)
class Prediction:
    """A label with its probability. `in_scope` is False for a text that none of the labels seems to fit; `label` is
    the likeliest all the same. An empty text has no label."""

    input: str
    label: str | None = None
    probability: float = 0.0
    in_scope: bool = False
    examples: list[Deciding] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Classifier:
    """What was fitted to N examples with C labels: coefficients (N, C), the sharpness of the softmax that turns scores
    into probabilities, and the score below which a text is out of scope."""

    coefficients: Tensor
    sharpness: float
    threshold: float

    def tensors(self) -> dict[str, Tensor]:
        calibration = torch.tensor([self.sharpness, self.threshold], dtype=torch.float64)
        return {"coefficients": self.coefficients, "calibration": calibration}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "Classifier":
        return cls(tensors["coefficients"], *tensors["calibration"].tolist())

    def scores(self, similar: Tensor) -> Tensor:
        """`similarities` of texts to the examples (B, N) to a score per label (B, C), around 1 for a sure one."""
        return similar @ self.coefficients

    def probabilities(self, scores: Tensor) -> Tensor:
        return (self.sharpness * scores).softmax(-1)

    def decided(self, similar: Tensor, label: int, top: int) -> tuple[list[int], list[float]]:
        """The examples with the largest parts in a text's score for a label, largest first; `similar` (N,)."""
        weights, rows = ((similar - similar.mean()) * self.coefficients[:, label]).topk(min(top, len(similar)))
        return rows.tolist(), weights.tolist()


def fit(keys: Tensor, labels: Sequence[int], count: int) -> Classifier:
    """Fits examples, given their keys (N, D) and labels (N numbers below `count`), and calibrates on left-out ones."""
    wanted = torch.tensor(labels)
    targets = torch.nn.functional.one_hot(wanted, count).float()
    coefficients, left_out = solve(keys, targets)
    sizes = torch.bincount(wanted, minlength=count)
    wanted = wanted[-len(left_out) :]
    fair = sizes[wanted] > 1  # without its only example, a label can't be found
    left_out, wanted = left_out[fair], wanted[fair]
    if len(wanted) < FEW:
        return Classifier(coefficients, SHARPNESS, float("-inf"))
    threshold = left_out.max(-1).values.quantile(1 - KEPT).item()
    return Classifier(coefficients, calibrate(left_out, wanted), threshold)


def calibrate(scores: Tensor, wanted: Tensor) -> float:
    """The sharpness β for which softmax(β · scores) is likeliest: scores (S, C), right labels (S,).

    Temperature scaling (Guo et al., arXiv 1706.04599).
    """
    losses = [torch.nn.functional.cross_entropy(beta * scores, wanted) for beta in SHARPNESSES]
    return float(SHARPNESSES[int(torch.stack(losses).argmin())])
