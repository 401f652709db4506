"""Labelled texts, and the two public sets of them that many-shot learning is measured on: Banking77 and CLINC150.

Casanueva et al., Efficient Intent Detection with Dual Sentence Encoders, arXiv 2003.04807; Larson et al., An Evaluation
Dataset for Intent Classification and Out-of-Scope Prediction, arXiv 1909.02027.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infinidoc.errors import InfinidocError
from infinidoc.manyshot.tables import read

BANKING77 = "save train.csv and test.csv of github.com/PolyAI-LDN/task-specific-datasets there, as banking77-…"
CLINC150 = "save data_full.json of github.com/clinc/oos-eval there, as clinc150.json"
OUTSIDE = "oos"  # CLINC150's label of what none of its intents fits


@dataclass(frozen=True)
class Texts:
    """Inputs and their labels."""

    inputs: list[str]
    labels: list[str]

    def part(self, places: Sequence[int]) -> "Texts":
        return Texts([self.inputs[place] for place in places], [self.labels[place] for place in places])

    @classmethod
    def read(cls, path: Path, input: str, output: str) -> "Texts":
        """The rows of a table that have both. Raises InfinidocError if there is none."""
        pairs = [(row.values[0], row.values[1]) for row in read(path, (input, output)) if all(row.values)]
        if not pairs:
            raise InfinidocError(f"no examples in {path}", "a row needs both an input and an output")
        return cls([input for input, _ in pairs], [output for _, output in pairs])


@dataclass(frozen=True)
class Dataset:
    """What is learnt, what is predicted, and the label (if any) of texts that lie outside of the task."""

    name: str
    train: Texts
    test: Texts
    outside: str | None = None


def banking77(directory: Path) -> Dataset:
    """77 intents of a bank's customers. Raises InfinidocError if its files aren't in the directory."""
    train, test = (_find(directory, f"banking77-{part}*.csv", BANKING77) for part in ("train", "test"))
    return Dataset("Banking77", Texts.read(train, "text", "category"), Texts.read(test, "text", "category"))


def clinc150(directory: Path) -> Dataset:
    """150 intents of ten domains, to be tried on the validation part and its texts that no intent fits.

    Raises InfinidocError if its file isn't in the directory, or isn't CLINC150.
    """
    path = _find(directory, "clinc150*.json", CLINC150)
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
        train, test = (
            Texts([text for text, _ in pairs], [label for _, label in pairs])
            for pairs in (parts["train"], parts["val"] + parts["oos_val"])
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InfinidocError(f"{path} isn't CLINC150", CLINC150) from error
    return Dataset("CLINC150", train, test, OUTSIDE)


def _find(directory: Path, pattern: str, hint: str) -> Path:
    found = sorted(directory.glob(pattern))
    if not found:
        raise InfinidocError(f"there is no {pattern} in {directory}", hint)
    return found[0]
