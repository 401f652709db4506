"""How well an adapter reads: held-out questions with the gold passage among three, and with it taken away.

    python benchmarks/reading.py                        # the shipped adapter
    python benchmarks/reading.py --adapter runs/reader --json
    python benchmarks/reading.py --adapter none         # the base model, shown an example

The questions are those on the articles of `infinidoc/training/data/xquad-en-dev.json` that no training sees. The two
other passages are of the same article; for the unanswerable half all three are, and none holds the answer's words.
"""

import argparse
import json
import random
from pathlib import Path

from infinidoc.evaluation.metrics import contains, exact_match, f1, interval
from infinidoc.model.loading import load
from infinidoc.reading.answering import generate, prompt, refuses
from infinidoc.training.corpus import ParagraphQuestion, xquad
from infinidoc.training.examples import holds

MAX_TOKENS = 32
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adapter", help="name, run's directory, or none; default: the shipped one")
    parser.add_argument("--model", help="a base model; default: the embedded one")
    parser.add_argument("--limit", type=int, help="only so many questions")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--answers", type=Path, help="a file for every question's answer, as JSON lines")
    arguments = parser.parse_args()
    base, _ = load(arguments.model, arguments.adapter, to_read=True)
    questions = list(xquad(held_out=True).questions)
    rng = random.Random(arguments.seed)
    if arguments.limit:
        questions = rng.sample(questions, arguments.limit)
    rows = []
    for asked in questions:
        row: dict[str, object] = {"question": asked.text, "answers": asked.answers}
        for name, answerable in (("answerable", True), ("unanswerable", False)):
            shown = [("", text) for text in passages(asked, answerable, rng)]
            row[name] = generate(base, prompt(base, asked.text, shown), None, MAX_TOKENS, lambda text: None)
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
