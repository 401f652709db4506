"""One long ingest of real text, with a log: does it stay as fast, and as small, as it was at the start?

    python -m benchmarks.million --log benchmarks/results/million.log
    INFINIDOC_PRECISION=bf16 python -m benchmarks.million --tokens 10m --documents ./books

The text is the ingest benchmark's: docstrings of the installed Python libraries, or --documents. The collection,
"million" unless --collection names another, stays: ask it something. Interrupted, it goes on from there.
"""

import argparse
import platform
import time
from importlib.metadata import version
from pathlib import Path

from benchmarks.ingest.__main__ import machine, parse_length
from benchmarks.ingest.documents import write_corpus
from benchmarks.ingest.systems import peak_bytes, tokeniser
from infinidoc.home import home
from infinidoc.reading.collection import Collection
from infinidoc.reading.ingest import Progress

STEPS = 20  # lines in the log


class Log:
    """Prints, and keeps."""

    def __init__(self, file: Path | None, tokens: int):
        self.file, self.step, self.next = file, tokens // STEPS, tokens // STEPS
        self.began = self.last = time.perf_counter()
        self.tokens = 0
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("")

    def line(self, text: str) -> None:
        print(text, flush=True)
        if self.file:
            with self.file.open("a", encoding="utf-8") as out:
                out.write(text + "\n")

    def notify(self, reached: Progress) -> None:
        if reached.tokens >= self.next:
            now = time.perf_counter()
            speed = (reached.tokens - self.tokens) / (now - self.last)
            self.line(
                f"{reached.tokens:>12,} tokens  {reached.files_done:>7,} files  {now - self.began:>8.1f} s  "
                f"{speed:>8,.0f} tokens/s since the last line  {peak_bytes() / 1e6:>7,.0f} MB peak"
            )
            self.tokens, self.last, self.next = reached.tokens, now, reached.tokens + self.step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=parse_length, default=1_000_000)
    parser.add_argument("--documents", type=Path, nargs="*", default=[])
    parser.add_argument("--collection", default="million")
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    log = Log(options.log, options.tokens)
    # Not in a temporary folder: a document is known by its path when an interrupted ingest goes on.
    folder = home() / "bench" / f"text-{options.tokens}"
    corpus = write_corpus(folder, options.tokens, tokeniser(), options.documents)
    with Collection.open(options.collection) as collection:
        base = collection.load()
        found = machine()
        log.line(f"{found.get('processor', platform.machine())}, {found['cpus']} CPUs, torch {version('torch')}")
        log.line(f"{base.name} {base.digest[:12]}, {base.dtype}; {corpus.tokens:,} tokens, text {corpus.digest[:12]}")
        log.began = log.last = time.perf_counter()
        summary = collection.ingest([folder], notify=log.notify)
        holds = summary.collection
        log.line(
            f"{summary.tokens:,} tokens of {summary.added:,} files in {summary.seconds:.1f} s: "
            f"{summary.tokens / summary.seconds:,.0f} tokens/s, {peak_bytes() / 1e6:,.0f} MB peak"
        )
        log.line(
            f"kept: {holds['state_bytes']:,} bytes of state, {holds['address_bytes']:,} of addresses, "
            f"{holds['text_bytes']:,} of text, for {holds['tokens']:,} tokens"
        )


if __name__ == "__main__":
    main()
