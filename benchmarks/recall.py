"""How often recall puts the right source first, and how well its scores tell when there is none.

    python benchmarks/recall.py examples/questions.jsonl --library examples/library --read
    python benchmarks/recall.py dev.json                        # any SQuAD file: one document per paragraph

Every question is asked of a collection that is made for the run. Questions without answers count as unanswerable;
with a SQuAD file, every question is also asked of all articles but its own, where nothing should be found. With
`--read` every answerable question is answered too, and the answers that contain the right one are counted.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from infinidoc import Collection


class Question(NamedTuple):
    text: str
    source: str  # the file that answers it, or ""
    article: str  # the folder that holds everything of its topic, or ""
    answers: list[str]


def squad(file: Path, folder: Path) -> list[Question]:
    """Questions of a SQuAD file, whose paragraphs are written to one text file each."""
    questions = []
    for number, article in enumerate(json.loads(file.read_text())["data"]):
        directory = folder / f"article-{number:03}"
        directory.mkdir(parents=True)
        for index, paragraph in enumerate(article["paragraphs"]):
            path = directory / f"{index:03}.txt"
            path.write_text(paragraph["context"])
            for qa in paragraph["qas"]:
                answers = [answer["text"] for answer in qa["answers"]]
                questions.append(Question(qa["question"], str(path), str(directory), answers))
    return questions


def jsonl(file: Path, folder: Path) -> list[Question]:
    rows = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    return [Question(r["question"], str(folder / r["source"]) if r["answers"] else "", "", r["answers"]) for r in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--library", type=Path, help="the documents, for a JSONL file")
    parser.add_argument("--read", action="store_true", help="also answer every answerable question")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = (chosen.library or Path(place) / "paragraphs").resolve()
        questions = jsonl(chosen.questions, folder) if chosen.library else squad(chosen.questions, folder)
        os.chdir(place)
        with Collection.open() as collection:
            summary = collection.ingest([folder])
            everything = summary.collection["passages"]
            threshold = collection.head.threshold
            first = five = refused_own = refused_other = answerable = unanswerable = right = 0
            for question, source, article, answers in questions:
                found = collection.search(question, everything if article else 50)
                paths = list(dict.fromkeys(passage.path for passage in found))
                if source:
                    answerable += 1
                    first += paths[0] == source
                    five += source in paths[:5]
                    refused_own += found[0].score < threshold
                    if chosen.read:
                        said = collection.ask(question).text.lower()
                        right += any(answer.lower() in said for answer in answers)
                if article or not source:
                    unanswerable += 1
                    elsewhere = [p.score for p in found if not article or not p.path.startswith(article + os.sep)]
                    refused_other += max(elsewhere) < threshold
    result = {
        "documents": summary.added,
        "tokens": summary.tokens,
        "answerable": answerable,
        "right_source_first": first / answerable,
        "right_source_in_first_five": five / answerable,
        "answerable_refused": refused_own / answerable,
        "unanswerable": unanswerable,
        "unanswerable_refused": refused_other / unanswerable,
    }
    if chosen.read:
        result["answer_contains_the_right_one"] = right / answerable
    if chosen.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name.replace('_', ' '):<28} {value:.3f}" if isinstance(value, float) else f"{name:<28} {value:,}")


if __name__ == "__main__":
    main()
