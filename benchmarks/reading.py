"""How well an adapter reads: held-out questions with the gold passage among three, and with it taken away.

    python benchmarks/reading.py                        # the shipped adapter
    python benchmarks/reading.py --adapter runs/reader --json
    python benchmarks/reading.py --adapter none         # the base model, shown an example
    python benchmarks/reading.py --long --limit 60      # explained answers: are their citations right?

The questions are those on the articles of `infinidoc/training/data/xquad-en-dev.json` that no training sees. The two
other passages are of the same article; for the unanswerable half all three are, and none holds the answer's words.
"""

import argparse
import json
import random
import re
from collections.abc import Sequence
from pathlib import Path

from infinidoc.evaluation.metrics import contains, exact_match, f1, interval
from infinidoc.model.loading import load
from infinidoc.model.prompts import EXPLANATION
from infinidoc.reading.answering import refuses
from infinidoc.reading.quoting import Shown, cite
from infinidoc.reading.readers.local import LocalReader
from infinidoc.reading.readers.reader import Piece
from infinidoc.training.corpus import ParagraphQuestion, xquad
from infinidoc.training.examples import holds

MAX_TOKENS, LONG_TOKENS = 32, 128
SHOWN = 3


def passages(asked: ParagraphQuestion, answerable: bool, rng: random.Random) -> list[str]:
    corpus = xquad(held_out=True)
    others = [text for text in corpus.articles[asked.article] if text != asked.paragraph]
    others = [text for text in rng.sample(others, len(others)) if not holds(text, asked.answers)]
    foreign = [text for text in rng.sample(corpus.paragraphs, 8) if not holds(text, asked.answers)]
    shown = ([asked.paragraph] if answerable else []) + others + [t for t in foreign if t not in others]
    shown = shown[:SHOWN]
    rng.shuffle(shown)
    return shown


def explained(reader: LocalReader, questions: Sequence[ParagraphQuestion], rng: random.Random) -> None:
    """Prints how good long answers are, and their citations."""
    answers = held = refused = cited = right = 0
    for asked in questions:
        shown = passages(asked, True, rng)
        said = reader.read(
            asked.text, [Piece("", "", text) for text in shown], LONG_TOKENS, lambda text: None, EXPLANATION
        )
        if refuses(said):
            refused += 1
            continue
        numbers = re.findall(r" \[(\d)\]", cite(said, [Shown("", text) for text in shown]))
        answers += 1
        held += bool(contains(said, asked.answers))
        cited += len(numbers)
        right += numbers.count(str(shown.index(asked.paragraph) + 1))
    print(f"questions {len(questions)}, refused {refused}; of {answers} answers {held} hold the gold one")
    print(f"citations {cited}, of the gold passage {right} ({right / max(1, cited):.3f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adapter", help="name, run's directory, or none; default: the shipped one")
    parser.add_argument("--model", help="a base model; default: the embedded one")
    parser.add_argument("--limit", type=int, help="only so many questions")
    parser.add_argument("--long", action="store_true", help="explained answers, and whether their citations are right")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--answers", type=Path, help="a file for every question's answer, as JSON lines")
    arguments = parser.parse_args()
    reader = LocalReader(load(arguments.model, arguments.adapter, to_read=True)[0])
    questions = list(xquad(held_out=True).questions)
    rng = random.Random(arguments.seed)
    if arguments.limit:
        questions = rng.sample(questions, arguments.limit)
    if arguments.long:
        explained(reader, questions, rng)
        return
    rows = []
    for asked in questions:
        row: dict[str, object] = {"question": asked.text, "answers": asked.answers}
        for name, answerable in (("answerable", True), ("unanswerable", False)):
            shown = [Piece("", "", text) for text in passages(asked, answerable, rng)]
            row[name] = reader.read(asked.text, shown, MAX_TOKENS, lambda text: None)
        rows.append(row)
        if arguments.answers:
            with arguments.answers.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
    scores = {
        "exact_match": [exact_match(str(row["answerable"]), row["answers"]) for row in rows],
        "f1": [f1(str(row["answerable"]), row["answers"]) for row in rows],
        "contains": [contains(str(row["answerable"]), row["answers"]) for row in rows],
        "answerable_refused": [float(refuses(str(row["answerable"]))) for row in rows],
        "unanswerable_refused": [float(refuses(str(row["unanswerable"]))) for row in rows],
    }
    result = {
        name: {"mean": sum(values) / len(values), "interval": interval(values, seed=0)}
        for name, values in scores.items()
    }
    if arguments.json:
        print(json.dumps({"adapter": arguments.adapter or "shipped", "n": len(rows), **result}, indent=1))
        return
    for name, found in result.items():
        low, high = found["interval"]
        print(f"{name:22} {found['mean']:.3f}  ({low:.3f} to {high:.3f}, n = {len(rows)})")


if __name__ == "__main__":
    main()
