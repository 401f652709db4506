"""One long ingest of real text, with a log: does it stay as fast, and as small, as it was at the start?

    python -m benchmarks.million --log benchmarks/results/million.log
    INFINIDOC_PRECISION=bf16 python -m benchmarks.million --tokens 10m --documents ./books

The text is the ingest benchmark's: docstrings of the installed Python libraries, or --documents. The collection,
"million" unless --collection names another, stays: ask it something. Interrupted, it goes on from there.
"""

import argparse
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks.ingest.__main__ import machine, parse_length
from benchmarks.ingest.documents import write_corpus
from benchmarks.ingest.log import Log, peak_bytes
from benchmarks.ingest.systems import tokeniser
from infinidoc.home import home
from infinidoc.reading.collection import Collection

STEPS = 20  # lines in the log


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=parse_length, default=1_000_000)
    parser.add_argument("--documents", type=Path, nargs="*", default=[])
    parser.add_argument("--collection", default="million")
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    if options.log:
        options.log.parent.mkdir(parents=True, exist_ok=True)
        options.log.write_text("")

    def say(text: str) -> None:
        print(text, flush=True)
        if options.log:
            with options.log.open("a", encoding="utf-8") as out:
                out.write(text + "\n")

    # Not in a temporary folder: a document is known by its path when an interrupted ingest goes on.
    folder = home() / "bench" / f"text-{options.tokens}"
    corpus = write_corpus(folder, options.tokens, tokeniser(), options.documents)
    with Collection.open(options.collection, memory=True) as collection:
        base = collection.load()
        found = machine()
        say(f"{found.get('processor', platform.machine())}, {found['cpus']} CPUs, torch {version('torch')}")
        say(f"{base.name} {base.digest[:12]}, {base.dtype}; {corpus.tokens:,} tokens, text {corpus.digest[:12]}")
        summary = collection.ingest([folder], notify=Log(say, options.tokens // STEPS).notify)
        holds = summary.collection
        say(
            f"{summary.tokens:,} tokens of {summary.added:,} files in {summary.seconds:.1f} s: "
            f"{summary.tokens / summary.seconds:,.0f} tokens/s, {peak_bytes() / 1e6:,.0f} MB peak"
        )
        say(
            f"kept: {holds['state_bytes']:,} bytes of state, {holds['address_bytes']:,} of addresses, "
            f"{holds['text_bytes']:,} of text, for {holds['tokens']:,} tokens"
        )


if __name__ == "__main__":
    main()
