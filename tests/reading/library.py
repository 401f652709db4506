"""A little library of files that tests ingest, and a look at everything that a collection holds of it."""

import random
from pathlib import Path

import pytest
import torch

from infinidoc.memory.store import Store
from infinidoc.reading.collection import Collection

NAMES = ["Amalia", "Brunhild", "Concordia", "Dagmar", "Esperanza", "Fortuna", "Gudrun", "Halcyon", "Isolde", "Jacoba"]
CARGO = ["grain", "wine", "timber", "salt", "wool", "copper", "paper", "glass", "tea", "iron"]


def sentence(rng: random.Random) -> str:
    return f"The {rng.choice(NAMES)} carries {rng.randint(2, 900)} tons of {rng.choice(CARGO)}."


def write_library(folder: Path, count: int = 12, longest: int = 30) -> Path:
    """Text files of one to `longest` sentences, all different; the same every time."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(7)
    for number in range(count):
        paragraphs = [
            " ".join(sentence(rng) for _ in range(rng.randint(1, 4)))
            for _ in range(rng.randint(1, max(1, longest // 3)))
        ]
        (folder / f"log-{number:02}.txt").write_text(f"Logbook {number}\n\n" + "\n\n".join(paragraphs))
    return folder


def without_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has everything bear on a question: a random model knows nothing of relevance."""
    head = Collection.head.fget

    def found(self):
        head(self).__dict__["threshold"] = -2.0
        return head(self)

    monkeypatch.setattr(Collection, "head", property(found))


def content(directory: Path) -> dict[str, object]:
    """Everything but row ids, times and file names: what two collections with the same content have in common."""
    with Store.open(directory) as store:
        blocks = store.addresses()
        addresses: dict[int, torch.Tensor] = {}
        for block in blocks:
            ends = [*block.rows[1:], len(block.addresses)]
            for passage, start, end in zip(block.passages, block.rows, ends, strict=True):
                addresses[passage] = block.addresses[start:end]
        documents = {}
        for row in store.documents():
            documents[Path(row.path).name] = (row.digest, row.tokens, store.document(row.id).text)
        passages: dict[str, list[object]] = {name: [] for name in documents}
        names = {row.id: Path(row.path).name for row in store.documents()}
        for passage in sorted(addresses):
            document, start, end = store.passage(passage)
            passages[names[document]].append((start, end, addresses[passage].tolist()))
        state = [tuple(t.tolist() for t in layer.tensors().values()) for layer in store.state() or []]
    return {"documents": documents, "passages": passages, "state": state}
