"""How well a reader answers on German, French, Spanish and Italian documents, asked in their language and in English.

    python benchmarks/languages.py                        # the shipped reader: 480 questions, 120 without an answer
    python benchmarks/languages.py --model qwen2.5-coder-0.5b-instruct --limit 5

The documents of `languages.jsonl` were written for this benchmark, and no training sees them. Shown are those of the
question's set and two of others in the same language, in an order drawn by a fixed seed. A yes or no is right in
either language.
"""

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infinidoc.evaluation.metrics import contains, exact_match, f1
from infinidoc.model.loading import load
from infinidoc.reading.answering import refuses
from infinidoc.reading.readers.local import LocalReader
from infinidoc.reading.readers.reader import Piece

MAX_TOKENS = 48
FOREIGN = 2
SETS = Path(__file__).with_name("languages.jsonl")
YES_OR_NO = {"Yes": ("Ja", "Oui", "Sí", "Sì"), "No": ("Nein", "Non", "No")}


@dataclass(frozen=True)
class Asked:
    """A question without `answers` can't be answered from the passages."""

    kind: str
    question: str
    answers: list[str]
    shown: list[Piece]


def questions(rng: random.Random) -> Iterator[Asked]:
    sets = [json.loads(line) for line in SETS.read_text("utf-8").splitlines()]
    for one in sets:
        others = [other for other in sets if other is not one and other["language"] == one["language"]]
        for asked in [*one["asked"], *one["unanswerable"]]:
            foreign = [rng.choice(other["documents"]) for other in rng.sample(others, FOREIGN)]
            shown = [Piece(each["name"], each["place"], each["text"]) for each in [*one["documents"], *foreign]]
            rng.shuffle(shown)
            answer = asked.get("answer")
            same = next((both for both in YES_OR_NO.items() if answer in (both[0], *both[1])), (answer, ()))
            kind = f"{one['language']}, asked in {asked['language']}"
            yield Asked(kind, asked["question"], [same[0], *same[1]] if answer else [], shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adapter", help="name, run's directory, or none; default: the shipped one")
    parser.add_argument("--model", help="a base model; default: the embedded one")
    parser.add_argument("--limit", type=int, help="only so many questions of each kind, drawn at random")
    parser.add_argument("--answers", type=Path, help="a file for every question's answer, as JSON lines")
    arguments = parser.parse_args()
    rng = random.Random(0)
    groups: dict[tuple[str, bool], list[Asked]] = defaultdict(list)
    for one in questions(rng):
        groups[one.kind, bool(one.answers)].append(one)
    reader = LocalReader(load(arguments.model, arguments.adapter, to_read=True)[0])
    print(f"{'documents, questions':<24} {'n':>4} {'exact':>6} {'F1':>6} {'contains':>9} {'refused':>8}")
    for (kind, answerable), asked in sorted(groups.items(), key=lambda item: (not item[0][1], item[0][0])):
        if arguments.limit:
            asked = rng.sample(asked, min(arguments.limit, len(asked)))
        scores = []
        for one in asked:
            said = reader.read(one.question, one.shown, MAX_TOKENS, lambda text: None)
            right = [score(said, one.answers) for score in (exact_match, f1, contains)] if answerable else [0.0] * 3
            scores.append([*right, float(refuses(said))])
            if arguments.answers:
                row = {"kind": kind, "question": one.question, "answers": one.answers, "said": said}
                with arguments.answers.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        exact, overlap, held, refused = (sum(column) / len(scores) for column in zip(*scores, strict=True))
        right_ones = f"{exact:6.3f} {overlap:6.3f} {held:9.3f}" if answerable else f"{'not answerable':>23}"
        print(f"{kind:<24} {len(scores):>4} {right_ones} {refused:8.3f}", flush=True)


if __name__ == "__main__":
    main()
