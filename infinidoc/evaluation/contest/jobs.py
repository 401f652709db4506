"""What a process of a comparison is to do, and what it leaves on the disk."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OURS = ("memory", "memory+recall")
RAG = ("rag-bm25", "rag-dense", "rag-hybrid")
WINDOW = ("full-context", "no-context")
LONG = ("whole", "truncated")  # for questions about whole documents; only where they are asked for by name
NAMES = (*OURS, *RAG, *WINDOW, *LONG)


@dataclass(frozen=True)
class Job:
    """What a process does: `stage` is "ingest" or "answer"; questions are (id, text)."""

    stage: str
    system: str
    out: str
    paths: list[str]
    model: str
    embedder: str
    questions: list[tuple[str, str]]

    @property
    def ingested(self) -> Path:
        return ingested_file(Path(self.out), self.system)

    @property
    def answers(self) -> Path:
        return Path(self.out) / "answers" / f"{self.system}.jsonl"


def ingested_file(out: Path, system: str) -> Path:
    """What is known of a system's ingest. The two that share a collection share this too."""
    return out / "ingested" / ("collection.json" if system in OURS else f"{system}.json")


def read_records(file: Path) -> list[dict[str, Any]]:
    """The answers on the disk. A last line that was cut short is cut off."""
    if not file.exists():
        return []
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(file, len(whole))
    return [json.loads(line) for line in whole.splitlines()]
