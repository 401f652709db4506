"""What a large collection costs beside the model: how a commit, opening and an exact search grow with its tokens.

    python -m benchmarks.store                         # to eight million tokens: minutes, and 1.2 GB of disk
    python -m benchmarks.store --tokens 1m,32m --json

Made-up documents of 4,096 tokens, random addresses and sums, committed as an ingest of the embedded model commits them;
then address files are merged, as at an ingest's end. No model runs. One thread.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.ingest.__main__ import parse_length
from infinidoc.documents.document import Document
from infinidoc.memory.manifest import MANIFEST
from infinidoc.memory.records import Identity, NewDocument, PassageRow
from infinidoc.memory.store import Store
from infinidoc.model.kernels import State
from infinidoc.reading.recall import recall

PASSAGES, TOKENS = 32, 128  # per document, per passage
LAYERS, HEADS, KEY = 22, 3, 64  # that remember, with the shipped adapter
TEXT = ("Some ten words of text are about enough for this page. " * 10)[:520]  # of a passage: four characters a token
QUESTION = 10  # tokens
LAST = 20  # commits that a figure is the mean of


def document(store: Store, number: int) -> NewDocument:
    addresses = torch.randint(-127, 128, (PASSAGES * TOKENS, 128), dtype=torch.int8)
    name = store.write_addresses(addresses)
    size = len(TEXT)
    rows = [PassageRow(i * size, (i + 1) * size, name, i * TOKENS, TOKENS) for i in range(PASSAGES)]
    text = TEXT * PASSAGES
    return NewDocument(f"/documents/{number}.txt", f"{number:064}", len(text), Document(text, "txt", (), 0), rows)


def state() -> list[State]:
    def sums() -> torch.Tensor:
        return torch.randn(1, HEADS, KEY, KEY, dtype=torch.float64)

    return [State(sums(), sums(), torch.ones(1, dtype=torch.float64)) for _ in range(LAYERS)]


def seconds(work: Callable[..., object], *arguments: object) -> float:
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def measure(folder: Path, targets: list[int]) -> list[dict[str, float]]:
    found = []
    made = 0
    identity = Identity("m", "d", "none", "", "least_squares")
    for target in targets:
        with Store.create(folder, identity, {"projection": torch.zeros(1, 128)}) as store:
            commits = []
            with store.writing():
                while made * PASSAGES * TOKENS < target:
                    new, sums = document(store, made), state()
                    commits.append(seconds(store.commit, [new], [], sums))
                    made += 1
                merging = seconds(store.merge_small_files)
            question = torch.nn.functional.normalize(torch.randn(QUESTION, 128), dim=-1)
            search = (recall, store.addresses(), question, torch.ones(QUESTION), 4)
            seconds(*search)  # what is on the disk comes into memory
            counts = store.counts()
            row = {
                "tokens": counts["tokens"],
                "commit_seconds": sum(commits[-LAST:]) / len(commits[-LAST:]),
                "merge_seconds": merging,
                "open_seconds": seconds(store.addresses),
                "search_seconds": seconds(*search),
                "text_bytes_per_token": counts["text_bytes"] / counts["tokens"],
                "state_bytes": counts["state_bytes"],
            }
        # Closed: what stood in SQLite's log is where it belongs.
        found.append({**row, "manifest_bytes_per_token": (folder / MANIFEST).stat().st_size / counts["tokens"]})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", default="500k,1m,2m,4m,8m")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), [parse_length(text) for text in options.tokens.split(",")])
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(
            f"{row['tokens']:>12,} tokens: commit {1e3 * row['commit_seconds']:.0f} ms, "
            f"merge {row['merge_seconds']:.1f} s, open {1e3 * row['open_seconds']:.0f} ms, "
            f"search {row['search_seconds']:.2f} s, manifest {row['manifest_bytes_per_token']:.1f} bytes a token "
            f"({row['text_bytes_per_token']:.1f} of them text)"
        )


if __name__ == "__main__":
    main()
