"""How long the search for a question takes among a million addresses, and how near that is to what memory allows.

    python -m benchmarks.search                      # a minute, and 150 MB of disk
    python -m benchmarks.search --tokens 10m --out benchmarks/results/search.json

Made-up documents with random addresses, as benchmarks.store makes them; the base model is real, and loaded before. Per
number of threads, medians of searches that take turns with each other and with copies of the same bytes: the whole
search, from the question to the passages; its scan of all addresses, and of those of every second document (a scope);
and how fast the scan reads over how fast memory is copied (bytes read and written).
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.ingest.__main__ import machine, parse_length
from benchmarks.store import PASSAGES, TOKENS, document
from infinidoc.memory.records import Identity
from infinidoc.memory.store import Store
from infinidoc.model import loading
from infinidoc.model.addresses import question_vectors, untrained_head
from infinidoc.model.base import BaseModel
from infinidoc.reading.recall import recall
from infinidoc.reading.scope import Scope
from infinidoc.reading.search import Warm, search

QUESTION = "When does the work on the roof of the reading room begin?"
TOP = 10
ROUNDS = 9


def fill(store: Store, tokens: int) -> None:
    with store.writing():
        for number in range(-(-tokens // (PASSAGES * TOKENS))):
            store.commit([document(store, number)], [], None)
        store.merge_small_files()


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Of the clock, and of all processors together."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - used


def measure(store: Store, base: BaseModel, threads: int) -> dict[str, object]:
    torch.set_num_threads(threads)
    head = untrained_head(base)
    warm = Warm.of(store)
    half = warm.part(store, Scope(within=("*[02468].txt",)))
    assert half is not None
    vectors = question_vectors(base, head, QUESTION)
    addresses = [block.addresses.clone() for block in warm.blocks]
    works: dict[str, Callable[[], object]] = {
        "search": lambda: search(store, warm, base, head, QUESTION, TOP),
        "scan": lambda: recall(warm.blocks, *vectors, TOP),
        "scan_of_half": lambda: recall(warm.blocks, *vectors, TOP, half.passages),
        "copy": lambda: [block.clone() for block in addresses],
    }
    rounds = [{name: seconds(work) for name, work in works.items()} for _ in range(ROUNDS + 1)][1:]
    wall, cpu = ({name: statistics.median(one[name][kind] for one in rounds) for name in works} for kind in (0, 1))
    moved = {"scan": 1, "copy": 2}  # times that the addresses' bytes are read or written
    scanned = sum(block.nbytes for block in addresses)
    return {
        "threads": threads,
        "question_tokens": len(vectors[0]),
        "seconds": {name: round(value, 4) for name, value in wall.items()},
        "cpu_seconds": {name: round(value, 4) for name, value in cpu.items()},
        "bytes_per_cpu_second": {name: round(times * scanned / cpu[name]) for name, times in moved.items()},
        "scanned_over_copied": round(cpu["copy"] / (2 * cpu["scan"]), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=parse_length, default=1_000_000)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--out", type=Path, help="also write the result there")
    options = parser.parse_args()
    base, _ = loading.load(bare=True)
    identity = Identity(base.name, base.digest, "none", "", "none")
    head = untrained_head(base)
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.create(Path(folder) / "c", identity, head.tensors()) as store,
    ):
        fill(store, options.tokens)
        rows = [measure(store, base, threads) for threads in options.threads]
        result = {"machine": machine(), "tokens": store.counts()["tokens"], "precision": base.precision, "rows": rows}
    text = json.dumps(result, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
