"""How long the search for a question takes among a million addresses, and how near that is to what memory allows.

    python -m benchmarks.search                      # two minutes, and 300 MB of disk
    python -m benchmarks.search --tokens 10m --index --out benchmarks/results/search-10m.json

Addresses are those of the example library, which is read once and stays in --work, and of copies of its documents in
which every address is off by some noise. Per number of threads, medians of searches that take turns with each other and
with copies of the same bytes: the whole search, from the question to the passages; its scan of all addresses, and of
those of every second document (a scope); the same scan without rounding first, as processors without AVX2 do it; and
how fast each scan reads over how fast memory is copied, bytes read and written, into memory that is there. Whether both
scans find the same passages in the same order is counted over --questions, the first words of as many passages.

--index builds an approximate index as well: how long that takes, how large it is, how long a search with it takes and
how much of the exact one's first, and first five, it finds. Needs infinidoc[index].
"""

import argparse
import importlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.ingest.__main__ import machine, parse_length
from infinidoc.documents.document import Document
from infinidoc.home import home
from infinidoc.memory.places import Place
from infinidoc.memory.records import NewDocument, PassageRow
from infinidoc.memory.store import Store
from infinidoc.model.addresses import AddressHead, question_vectors
from infinidoc.model.base import BaseModel
from infinidoc.reading import approximate
from infinidoc.reading.collection import Collection
from infinidoc.reading.recall import Recalled, recall
from infinidoc.reading.scope import Scope
from infinidoc.reading.search import Warm, search

LIBRARY = Path("examples/library")
TOP = 10
ROUNDS = 9
NOISES = (0.2, 0.4, 0.6)  # how long what is added to a copy's addresses is, by which a vector of length 1 is off
WORDS = 10  # of a passage, that ask for it


def documents(store: Store) -> Iterator[tuple[Tensor, list[int]]]:
    """The addresses of each document, or of what one file has of it, and how many each of its passages has."""
    for block in store.addresses():
        owned = zip(block.openings, block.rows, [*block.rows[1:], len(block.addresses)], strict=True)
        for _, passages in groupby(owned, lambda owner: owner[0]):
            _, starts, ends = zip(*passages, strict=True)
            addresses = block.addresses[starts[0] : ends[-1]]
            assert isinstance(addresses, Tensor)
            yield addresses, [end - start for start, end in zip(starts, ends, strict=True)]


def fill(store: Store, source: Store, tokens: int) -> None:
    """The documents of `source`, and copies of them with noise, until there are so many tokens."""
    generator = torch.Generator().manual_seed(0)
    originals, made, round_ = list(documents(source)), 0, 0
    with store.writing():
        while made < tokens:
            for number, (addresses, sizes) in enumerate(originals):
                if round_:
                    noise = F.normalize(torch.randn(addresses.shape, generator=generator), dim=-1)
                    vectors = F.normalize(addresses.float(), dim=-1) + NOISES[round_ % len(NOISES)] * noise
                    addresses = (127 * F.normalize(vectors, dim=-1)).round().to(torch.int8)
                file = store.write_addresses(addresses)
                rows = [PassageRow(n, n + 1, file, sum(sizes[:n]), size) for n, size in enumerate(sizes)]
                path, text = f"/{round_}/{number}.txt", "x" * len(sizes)
                store.commit([NewDocument(path, path, len(text), Document(text, "txt", (), 0), rows)], [], None)
                made += len(addresses)
                if made >= tokens:
                    break
            round_ += 1
        store.merge_small_files()


def questions(source: Store, count: int) -> list[str]:
    passages = [passage for block in source.addresses() for passage in block.passages]
    asked = []
    for passage in passages[:: max(1, len(passages) // count)][:count]:
        row = source.passage(passage)
        assert row is not None
        asked.append(" ".join(source.document(row[0]).text[row[1] : row[2]].split()[:WORDS]))
    return asked


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Of the clock, and of all processors together."""
    began, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - used


def unrounded(*wanted: Any) -> list[Recalled]:
    with patch("infinidoc.reading.recall.FAST_INTEGERS", ()):
        return recall(*wanted)


def same(found: list[list[Recalled]], others: list[list[Recalled]]) -> float:
    """How often passages and their order are the same."""
    pairs = zip(found, others, strict=True)
    return sum([x.passage for x in one] == [x.passage for x in other] for one, other in pairs) / len(found)


def measure(store: Store, base: BaseModel, head: AddressHead, asked: list[str], threads: int) -> dict[str, Any]:
    torch.set_num_threads(threads)
    warm = Warm(store.revision, store.addresses(), None, None)
    half = warm.part(store, Scope(within=("*[02468].txt",)))
    assert half is not None
    vectors = [question_vectors(base, head, text) for text in asked]
    first = (warm.blocks, *vectors[0], TOP)
    source = torch.cat([block.addresses for block in warm.blocks])
    target = source.clone()
    works: dict[str, Callable[[], object]] = {
        "open": store.addresses,
        "search": lambda: search(store, warm, base, head, asked[0], TOP),
        "scan": lambda: recall(*first),
        "scan_unrounded": lambda: unrounded(*first),
        "scan_of_half": lambda: recall(*first, half.passages),
        "copy": lambda: target.copy_(source),
    }
    rounds = [{name: seconds(work) for name, work in works.items()} for _ in range(ROUNDS + 1)][1:]
    wall, cpu = ({name: statistics.median(one[name][kind] for one in rounds) for name in works} for kind in (0, 1))
    moved = {"scan": 1, "scan_unrounded": 1, "copy": 2}  # times that the addresses' bytes are read or written
    found = ([how(warm.blocks, *one, TOP) for one in vectors] for how in (recall, unrounded))
    return {
        "threads": threads,
        "question_tokens": len(vectors[0][0]),
        "seconds": {name: round(value, 4) for name, value in wall.items()},
        "cpu_seconds": {name: round(value, 4) for name, value in cpu.items()},
        "bytes_per_cpu_second": {name: round(times * source.nbytes / cpu[name]) for name, times in moved.items()},
        "scanned_over_copied": {name: round(cpu["copy"] / (2 * cpu[name]), 3) for name in ("scan", "scan_unrounded")},
        "same_passages": same(*found),
    }


def measure_index(store: Store, base: BaseModel, head: AddressHead, asked: list[str]) -> dict[str, Any]:
    """On as many threads as PyTorch has."""
    faiss = importlib.import_module("faiss")
    faiss.omp_set_num_threads(torch.get_num_threads())

    def build() -> None:
        with store.writing():
            approximate.build(store)

    building = seconds(build)
    index, blocks = approximate.open_index(store), store.addresses()
    assert index is not None
    ways = {"exact": partial(recall, blocks), "index": partial(approximate.recall_with, index, store, [])}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    counts, first, five = store.counts(), 0, 0.0
    for text in asked:
        vectors, found = question_vectors(base, head, text), {}
        for name, way in ways.items():
            used = time.process_time()
            found[name] = [one.passage for one in way(*vectors, TOP)]
            taken[name].append(time.process_time() - used)
        first += found["index"][0] == found["exact"][0]
        five += len({*found["index"][:5]} & {*found["exact"][:5]}) / len(found["exact"][:5])
    return {
        "build_seconds": round(building[0], 1),
        "build_cpu_seconds": round(building[1], 1),
        "bytes_per_token": round(counts["index_bytes"] / counts["tokens"], 1),
        "cpu_seconds": {name: round(statistics.median(values), 4) for name, values in taken.items()},
        "first_found": first / len(asked),
        "five_found": five / len(asked),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=parse_length, default=1_000_000)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--index", action="store_true")
    parser.add_argument("--work", type=Path, default=home() / "bench" / "search")
    parser.add_argument("--out", type=Path, help="also write the result there")
    options = parser.parse_args()
    with Collection(Place("search", options.work / "collection")) as collection:
        collection.ingest([LIBRARY])  # what it has read before stays
        result = run(collection, options.tokens, options.threads, options.questions, options.index)
    text = json.dumps(result, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


def run(collection: Collection, tokens: int, threads: list[int], count: int, index: bool) -> dict[str, Any]:
    source, base, head = collection.store, collection.load(to_search=True), collection.head
    asked = questions(source, count)
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.create(Path(folder) / "c", source.identity, head.tensors()) as store,
    ):
        fill(store, source, tokens)
        result = {
            "machine": machine(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "tokens": store.counts()["tokens"],
            "precision": base.precision,
            "rows": [measure(store, base, head, asked, threads) for threads in threads],
        }
        return {**result, "index": measure_index(store, base, head, asked)} if index else result


if __name__ == "__main__":
    main()
