"""infinidoc's ingest beside what a user would use instead, in one run on one machine:

    python -m benchmarks.ingest                              # all systems at 10K tokens, some at 100K
    python -m benchmarks.ingest --lengths 10k,100k,1m --name full
    python -m benchmarks.ingest --documents ./docs --rounds 5

Every measurement has a process of its own, one after the other, all systems in turn and then again; the long texts come
between two rounds. What is finished is kept in --work: interrupted, or with more lengths, it goes on from there. Writes
benchmarks/results/ingest-NAME.json, .md and .png, and a log of every ingest of a million tokens or more. Needs
infinidoc[bench,rag]; what isn't installed is left out.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.ingest.documents import Corpus, write_corpus
from benchmarks.ingest.log import LOG_LINE
from benchmarks.ingest.report import draw, markdown, summarise
from benchmarks.ingest.systems import WARM_UP, tokeniser
from infinidoc.errors import InfinidocError
from infinidoc.home import home
from infinidoc.model.catalogue import base_digest, base_name
from infinidoc.model.precision import PRECISIONS

ROOT = Path(__file__).parents[2]
OURS = [f"infinidoc_{precision}" for precision in PRECISIONS]
SYSTEMS = [
    *OURS,
    "infinidoc_fp32_no_memory",
    "transformers_2k_fp32",
    "transformers_8k_fp32",
    "transformers_2k_bf16",
    "llama_cpp_q4_1",
    "llama_cpp_q8_0",
    "llama_cpp_f32",
    "rag_minilm",
    "rag_bm25",
]
AT_LENGTH = [*OURS, "rag_minilm", "rag_bm25"]  # what reads any length; windows of full attention don't change with it
WARM_UP_TOKENS = 2_100
LOGGED = 1_000_000  # tokens from which a measurement leaves its log beside the results
PACKAGES = ("infinidoc", "torch", "transformers", "numpy", "xllamacpp", "sentence-transformers", "bm25s")

Result = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One measurement."""

    system: str
    length: int
    round: int

    def __str__(self) -> str:
        return f"{self.system}-{self.length}-{self.round}"


def plan(systems: Sequence[str], lengths: Sequence[int], rounds: int) -> list[Cell]:
    """In turn, every other round backwards, so that what else the machine does strikes all alike. The shortest length
    is measured in every round, longer ones once, after the first round."""
    cells = [Cell(system, lengths[0], 0) for system in systems]
    cells += [Cell(system, length, 0) for length in lengths[1:] for system in systems if system in AT_LENGTH]
    for number in range(1, rounds):
        cells += [Cell(system, lengths[0], number) for system in systems[:: -1 if number % 2 else 1]]
    return cells


def run(
    cells: Sequence[Cell], kept: Path, measure: Callable[[Cell], Result], say: Callable[[str], None]
) -> tuple[dict[Cell, Result], dict[str, str]]:
    """Measures what `kept` doesn't have. Returns what was measured, and why some systems couldn't be."""
    kept.mkdir(parents=True, exist_ok=True)
    done: dict[Cell, Result] = {}
    left_out: dict[str, str] = {}
    for cell in cells:
        file = kept / f"{cell}.json"
        if cell.system in left_out:
            continue
        if file.exists():
            done[cell] = json.loads(file.read_text())
        else:
            try:
                done[cell] = measure(cell)
            except InfinidocError as reason:
                left_out[cell.system] = str(reason)
                say(f"{cell.system}: left out: {reason}")
                continue
            part = file.with_suffix(".part")
            part.write_text(json.dumps(done[cell]))
            part.replace(file)
        say(f"{cell.system}, {cell.length:,} tokens: {done[cell]['tokens_per_second']:,.0f} tokens/s")
    return done, left_out


def in_a_process(cell: Cell, corpora: dict[int, Corpus], threads: int, work: Path) -> Result:
    """Raises InfinidocError, with the last thing that it said, if the process fails."""
    corpus = corpora[cell.length]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        command = [sys.executable, "-m", "benchmarks.ingest.systems", cell.system, "--work", scratch]
        command += ["--documents", str(corpus.folder.parent), "--questions", json.dumps(corpus.questions)]
        command += ["--threads", str(threads), "--spawned", str(time.time())]
        finished = subprocess.run(command, capture_output=True, text=True, env=environment)
    if finished.returncode:
        last = (finished.stderr.strip() or f"exit code {finished.returncode}").splitlines()[-1]
        raise InfinidocError(last)
    found: Result = json.loads(finished.stdout.splitlines()[-1])
    found["log"] = [line for line in finished.stderr.splitlines() if LOG_LINE in line]
    return found


def surroundings(corpora: dict[int, Corpus], threads: int, adapter: str | None) -> Result:
    """All that the figures depend on. Cells are kept for as long as it stays the same."""
    code = hashlib.sha256()
    for file in sorted([*(ROOT / "infinidoc").rglob("*.py"), ROOT / "benchmarks" / "ingest" / "systems.py"]):
        code.update(file.read_bytes())
    return {
        "machine": machine(),
        "threads": threads,
        "versions": {"python": sys.version.split()[0], **{name: _version(name) for name in PACKAGES}},
        "digests": {
            "code": code.hexdigest(),
            "model": base_digest(base_name()),
            "adapter": adapter,
            "documents": {str(length): corpus.digest for length, corpus in corpora.items()},
        },
    }


def machine() -> Result:
    """The processor, and what of it matters here."""
    found: Result = {"cpus": os.cpu_count()}
    if (info := Path("/proc/cpuinfo")).exists():
        lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in lines.items()}
        found["processor"] = fields.get("model name", "")
        wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
        found["instructions"] = [name for name in wanted if name in fields.get("flags", "").split()]
    if hasattr(os, "sysconf"):
        found["memory_bytes"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ingest", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lengths", default="10k,100k", help="in tokens; k is 1,000 and m 1,000,000")
    parser.add_argument("--rounds", type=int, default=2, help="measurements of every system at the shortest length")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help="some of: %(default)s")
    parser.add_argument("--documents", type=Path, nargs="*", default=[], help="default: docstrings of Python libraries")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--name", default="quick", help="of the results' files")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--work", type=Path, default=home() / "bench", help="where finished measurements are kept")
    options = parser.parse_args()
    try:
        result = benchmark(options)
    except InfinidocError as error:
        raise SystemExit(f"benchmarks.ingest: {error}") from None
    print(markdown(result))


def benchmark(options: argparse.Namespace) -> Result:
    """Measures, and writes the files."""
    from infinidoc.model import adapters

    lengths = [parse_length(text) for text in options.lengths.split(",")]
    systems = options.systems.split(",")
    if unknown := sorted(set(systems) - set(SYSTEMS)):
        raise InfinidocError(f"no system {unknown[0]}", f"there are: {', '.join(SYSTEMS)}")
    say = partial(print, file=sys.stderr, flush=True)
    encode = tokeniser()
    options.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        corpora = {}
        for length in lengths:
            place = Path(folder) / str(length)
            corpora[length] = write_corpus(place / "documents", length, encode, options.documents)
            write_corpus(place / WARM_UP, min(WARM_UP_TOKENS, length), encode, options.documents)
        card = adapters.choose(base_digest(base_name()), None)
        conditions = surroundings(corpora, options.threads, adapters.load(card).digest if card else None)
        kept = options.work / "cells" / hashlib.sha256(json.dumps(conditions).encode()).hexdigest()[:12]
        measure = partial(in_a_process, corpora=corpora, threads=options.threads, work=options.work)
        cells, left_out = run(plan(systems, lengths, options.rounds), kept, measure, say)
    measured = [{"system": c.system, "length": c.length, "round": c.round, **found} for c, found in cells.items()]
    result = {
        "benchmark": "ingest",
        "command": f"python -m benchmarks.ingest {' '.join(sys.argv[1:])}".strip(),
        **summarise(measured),
        "left_out": left_out,
        **conditions,
        "measurements": measured,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    target = options.out / f"ingest-{options.name}"
    target.with_suffix(".json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    target.with_suffix(".md").write_text(markdown(result), encoding="utf-8")
    draw(target.with_suffix(".png"), result)
    for cell, found in cells.items():
        if cell.length >= LOGGED:
            lines = [*found["log"], f"{found['tokens']:,} tokens in {found['seconds']:.1f} s"]
            target.with_name(f"{target.name}-{cell}.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return result


def parse_length(text: str) -> int:
    """ "10k" to 10,000. Raises InfinidocError for what is no number of tokens."""
    number, factor = text.strip().lower(), 1
    for suffix, size in (("k", 1_000), ("m", 1_000_000)):
        if number.endswith(suffix):
            number, factor = number[:-1], size
    if not number.isdigit() or int(number) < 1:
        raise InfinidocError(f"{text!r} is not a length", "write them like this: --lengths 10k,100k,1m")
    return int(number) * factor


if __name__ == "__main__":
    main()
