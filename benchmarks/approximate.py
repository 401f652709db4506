"""What an approximate search finds of what an exact one finds, and what each takes: real text, real questions.

    python -m benchmarks.approximate                # half a million tokens of docstrings around XQuAD's paragraphs
    python -m benchmarks.approximate --tokens 2m --json

The collection stays in --work for the next time. "kept" counts how much of the exact search's first and first five
passages the approximate one has in its first and first five; "answers it" how often the first is the paragraph that the
question is about. Needs infinidoc[index].
"""

import argparse
import json
import time
from pathlib import Path

from benchmarks.ingest.__main__ import parse_length
from benchmarks.ingest.documents import write_corpus
from benchmarks.ingest.systems import tokeniser
from infinidoc.evaluation.questions import parse_questions
from infinidoc.home import home
from infinidoc.memory.places import Place
from infinidoc.model.addresses import question_vectors
from infinidoc.reading import approximate
from infinidoc.reading.collection import Collection
from infinidoc.reading.recall import Recalled, recall
from infinidoc.training.corpus import squad

TOP = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=parse_length, default=500_000, help="of text around the paragraphs")
    parser.add_argument("--work", type=Path, default=home() / "bench" / "approximate")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    asked = parse_questions("xquad.json", squad())
    texts = chosen.work / "texts"
    if not texts.exists():
        write_corpus(texts, chosen.tokens, tokeniser())
        for name, text in asked.documents.items():
            path = texts / "xquad" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    with Collection(Place("approximate", chosen.work / "collection")) as collection:
        collection.ingest([texts])
        found = measure(collection, [(question.text, question.source) for question in asked.questions])
    print(json.dumps(found, indent=1) if chosen.json else "\n".join(f"{k:>40}  {v:,.3f}" for k, v in found.items()))


def measure(collection: Collection, questions: list[tuple[str, str | None]]) -> dict[str, float]:
    store = collection.store
    base, head = collection.load(), collection.head
    blocks = store.addresses()
    began = time.perf_counter()
    with store.writing():
        approximate.build(store)
    building = time.perf_counter() - began
    index = approximate.open_index(store)
    assert index is not None
    paths = {document.id: document.path for document in store.documents()}
    first = five = right = right_exactly = 0.0
    seconds = {"exact": 0.0, "approximate": 0.0}
    for text, source in questions:
        vectors, weights = question_vectors(base, head, text)
        began = time.perf_counter()
        exact = recall(blocks, vectors, weights, TOP)
        between = time.perf_counter()
        near = approximate.recall_with(index, store, [], vectors, weights, TOP)
        seconds["exact"] += between - began
        seconds["approximate"] += time.perf_counter() - between
        first += near[0].passage == exact[0].passage
        five += len({one.passage for one in near} & {one.passage for one in exact}) / len(exact)

        def answers(found: list[Recalled], source: str | None = source) -> bool:
            row = store.passage(found[0].passage)
            return row is not None and source is not None and paths[row[0]].endswith("/" + source)

        right += answers(near)
        right_exactly += answers(exact)
    count, counts = len(questions), store.counts()
    return {
        "tokens": counts["tokens"],
        "passages": counts["passages"],
        "questions": count,
        "first kept": first / count,
        "first five kept": five / count,
        "exact: the first answers it": right_exactly / count,
        "approximate: the first answers it": right / count,
        "exact: seconds a question": seconds["exact"] / count,
        "approximate: seconds a question": seconds["approximate"] / count,
        "building, seconds": building,
        "index, bytes a token": counts["index_bytes"] / counts["tokens"],
    }


if __name__ == "__main__":
    main()
