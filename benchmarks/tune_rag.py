"""Chunk size, overlap, depth and BM25's parameters for the RAG baselines, tuned on a development split.

    python benchmarks/tune_rag.py xquad-en-dev.json                     # retrieval only, half an hour on one core
    python benchmarks/tune_rag.py xquad-en-dev.json --read 60           # then how many chunks the reader can use

Two collections: the articles of a SQuAD file, each as one document of all its paragraphs, with the questions of every
other article (the first, third, …); and the example library with its answerable questions. A setting is as good as the
share of questions whose answer stands in the passages that fit the prompt, from the right document. The share of
questions whose right document comes first is printed beside it.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from infinidoc.baselines import chunking, rag
from infinidoc.baselines.retrieval import Bm25, Embedder, ranked
from infinidoc.evaluation import metrics
from infinidoc.evaluation.questions import Question, read_questions
from infinidoc.memory.places import Place
from infinidoc.reading.collection import Collection

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SIZES = (64, 96, 128, 160, 256)
SHARES = (0, 4)  # no overlap, a quarter
BM25 = [(0.9, 0.4), (1.2, 0.75), (1.5, 0.75), (2.0, 0.75), (1.5, 0.5), (1.5, 0.9)]

Split = tuple[Path, list[Question]]


def development(squad: Path, folder: Path) -> list[Split]:
    """Each folder of documents, with questions whose sources are paths in it."""
    articles = []
    for number, article in enumerate(json.loads(squad.read_text())["data"]):
        path = folder / f"article-{number:02}.txt"
        path.write_text("\n\n".join(paragraph["context"] for paragraph in article["paragraphs"]))
        for qa in [qa for paragraph in article["paragraphs"] for qa in paragraph["qas"] if number % 2 == 0]:
            answers = tuple(answer["text"] for answer in qa["answers"])
            articles.append(Question(qa["id"], qa["question"], answers, str(path)))
    library = [
        Question(question.id, question.text, question.answers, str(EXAMPLES / "library" / (question.source or "")))
        for question in read_questions(EXAMPLES / "questions.jsonl").questions
        if question.answers
    ]
    return [(folder, articles), (EXAMPLES / "library", library)]


class Remembering(Embedder):
    """Embeds a text once, however many pipelines want it."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[tuple[str, bool], NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str], question: bool = False) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if (text, question) not in self.known]
        if new:
            vectors = super().__call__(new, question)
            self.known |= {(text, question): vector for text, vector in zip(new, vectors, strict=True)}
        return np.stack([self.known[text, question] for text in texts])


def found(pipeline: rag.Rag, questions: list[Question]) -> tuple[float, float]:
    """How many questions have their answer in the prompt's passages, and how many their source in first place."""
    inside = first = 0.0
    for question in questions:
        sources = pipeline.search(question.text, 50)
        read = pipeline.within(rag.BUDGET_TOKENS, sources)
        passages = [source.text for source in read if source.path == question.source]
        inside += any(metrics.contains(passage, question.answers or ()) for passage in passages)
        first += metrics.source_at([source.path for source in sources], question.source or "", 1)
    return inside, first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("squad", type=Path)
    parser.add_argument("--read", type=int, default=0, metavar="N", help="also answer N questions at every depth")
    parser.add_argument("--only-read", action="store_true", help="nothing else")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "articles").mkdir()
        splits = development(chosen.squad, place / "articles")
        base = Collection(Place("tuning", place / "nothing")).load()
        embed = Remembering()
        if not chosen.only_read:
            for folder, questions in splits:
                tune_chunks(base, folder, questions, place, embed)
                tune_bm25(base, folder, questions, place)
        if chosen.read:
            tune_depth(base, splits, place, embed, chosen.read)


def tune_chunks(base: rag.BaseModel, folder: Path, questions: list[Question], place: Path, embed: Embedder) -> None:
    print(f"{folder.name}, n = {len(questions)}; answer in the prompt and right source first, in percent")
    print("size  overlap" + "".join(f"{method:>16}" for method in rag.METHODS))
    for size in SIZES:
        for overlap in [size // share if share else 0 for share in SHARES]:
            cells = []
            for method in ("bm25", "dense", "hybrid"):
                directory = place / f"{folder.name}-{method}-{size}-{overlap}"
                with rag.Rag(directory, base, method, embed, size, overlap) as pipeline:
                    pipeline.ingest([folder])
                    inside, first = (100 * count / len(questions) for count in found(pipeline, questions))
                cells.append(f"{inside:>10.1f} {first:5.1f}")
            print(f"{size:>4}  {overlap:>7}" + "".join(cells), flush=True)


def tune_bm25(base: rag.BaseModel, folder: Path, questions: list[Question], place: Path) -> None:
    with rag.Rag(place / f"{folder.name}-parameters", base, "bm25") as pipeline:
        pipeline.ingest([folder])
        chunks = pipeline.index.texts()
    for k1, b in BM25:
        bm25 = Bm25.build([text for _, text in chunks], k1, b)
        inside = first = 0.0
        for question in questions:
            best = [chunks[index] for index in ranked(bm25.scores(question.text), chunking.DEPTH)]
            right = [text for path, text in best if path == question.source]
            inside += any(metrics.contains(text, question.answers or ()) for text in right)
            first += bool(best) and best[0][0] == question.source
        inside, first = 100 * inside / len(questions), 100 * first / len(questions)
        print(f"BM25 k1 {k1} b {b}: {inside:.1f} {first:.1f}", flush=True)


def tune_depth(base: rag.BaseModel, splits: list[Split], place: Path, embed: Embedder, count: int) -> None:
    """Reads at every depth: more passages hold more answers, and more that distracts."""
    folder, questions = splits[0]
    questions = questions[:: max(1, len(questions) // count)]
    with rag.Rag(place / "depth", base, "hybrid", embed) as pipeline:
        pipeline.ingest([folder])
        for depth in range(1, chunking.DEPTH + 1):
            said = [pipeline.ask(question.text, depth).text for question in questions]
            pairs = list(zip(said, [question.answers or () for question in questions], strict=True))
            exact, f1 = (100 * sum(measure(*pair) for pair in pairs) / len(pairs) for measure in MEASURES)
            print(f"depth {depth}: exact match {exact:.1f}, F1 {f1:.1f} (n = {len(pairs)})", flush=True)


MEASURES = (metrics.exact_match, metrics.f1)

if __name__ == "__main__":
    main()
