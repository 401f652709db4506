"""How well a reader reads questions of the kinds that it was trained on, of those that its training left out.

    python benchmarks/left_out.py                     # 335 questions of ten sources, 113 without an answer
    python benchmarks/left_out.py --fresh --limit 60  # only those on which nothing was chosen

`left_out.jsonl.xz`: questions that the training of the shipped 135M reader drew in none of its steps, or whose contexts
were kept from it. Each is shown three passages, in an order drawn once: the right one (of some two) and the nearest
that lack the answer, or only such. On those that are `chosen_on`, what `reading/weighing.py` does was chosen. For
sources and licences see `infinidoc/training/data/README.md`.
"""

import argparse
import json
import lzma
import random
import time
from collections import defaultdict
from pathlib import Path

from infinidoc.evaluation.metrics import contains, exact_match, f1, interval
from infinidoc.model.loading import load
from infinidoc.reading.answering import refuses
from infinidoc.reading.readers.local import LocalReader
from infinidoc.reading.readers.reader import Piece

MAX_TOKENS = 48
FILE = Path(__file__).with_name("left_out.jsonl.xz")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adapter", help="name, run's directory, or none; default: the shipped one")
    parser.add_argument("--model", help="a base model; default: the embedded one")
    parser.add_argument("--fresh", action="store_true", help="only questions on which nothing was chosen")
    parser.add_argument("--limit", type=int, help="only so many questions, drawn at random")
    parser.add_argument("--answers", type=Path, help="a file for every question's answer, as JSON lines")
    arguments = parser.parse_args()
    with lzma.open(FILE, "rt", encoding="utf-8") as stream:
        rows = [row for row in map(json.loads, stream) if not (arguments.fresh and row["chosen_on"])]
    if arguments.limit:
        rows = random.Random(0).sample(rows, min(arguments.limit, len(rows)))
    reader = LocalReader(load(arguments.model, arguments.adapter, to_read=True)[0])
    scores: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        began = time.process_time()
        best_first = [Piece(title, "", text) for title, text in reversed(row["shown"])]
        said = reader.read(row["question"], best_first, MAX_TOKENS, lambda text: None)
        scores["processor_seconds"].append(time.process_time() - began)
        if row["answers"]:
            scores["exact_match"].append(exact_match(said, row["answers"]))
            scores["f1"].append(f1(said, row["answers"]))
            scores["contains"].append(float(contains(said, row["answers"])))
        scores["answerable_refused" if row["answers"] else "unanswerable_refused"].append(float(refuses(said)))
        if arguments.answers:
            with arguments.answers.open("a", encoding="utf-8") as stream:
                kept = {name: row[name] for name in ("source", "question", "answers")}
                stream.write(json.dumps({**kept, "said": said}, ensure_ascii=False) + "\n")
    for name, values in scores.items():
        low, high = interval(values, seed=0)
        print(f"{name:22} {sum(values) / len(values):.3f}  ({low:.3f} to {high:.3f}, n = {len(values)})")


if __name__ == "__main__":
    main()
