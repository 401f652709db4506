"""Whether the sentence that is quoted for a right answer is the one that it stands in.

    python benchmarks/quotes.py             # seconds, no model
    python benchmarks/quotes.py --wrong     # and every one that isn't
    python benchmarks/quotes.py --model     # minutes: "Yes" and "No" as `ask` has them, by the model's addresses too

The answer given is the gold one. Shown are all passages of a question's set and two of others, in an order drawn by a
fixed seed: what office documents say (`infinidoc/training/data/office.jsonl`), documents in four languages
(`benchmarks/languages.jsonl`), and the held-out articles of XQuAD, of which the places of the answers are known.

A quote is right if it lies in the gold sentence or holds it, in the gold passage; of several, the one read first for
its part. Where the gold answer stands in several sentences that fit alike, only the marked one counts.
"""

import argparse
import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch

from infinidoc.documents.sentences import sentences
from infinidoc.model import adapters
from infinidoc.model.addresses import early_states, question_vectors, untrained_head
from infinidoc.model.base import load_base
from infinidoc.reading.alike import alike
from infinidoc.reading.quoting import Shown, find_quotes
from infinidoc.training import corpus

HERE = Path(__file__).parent
OFFICE = HERE.parent / "infinidoc" / "training" / "data" / "office.jsonl"
FOREIGN = 2


@dataclass(frozen=True)
class Asked:
    """A question, its answer, and the [start:end] of the passage that is the right quote, or lies in it."""

    question: str
    answer: str
    kind: str
    shown: list[Shown]
    gold: int
    start: int
    end: int


def from_sets(file: Path, rng: random.Random, by_language: bool) -> Iterator[Asked]:
    sets = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for one in sets:
        for asked in one["asked"]:
            own = [(f"{document['name']}, {document['place']}", document["text"]) for document in one["documents"]]
            others = [other for other in sets if other is not one]
            foreign = [rng.choice(rng.choice(others)["documents"]) for _ in range(FOREIGN)]
            passages = [*own, *((f"{document['name']}, {document['place']}", document["text"]) for document in foreign)]
            order = rng.sample(range(len(passages)), len(passages))
            shown = [Shown(*passages[number]) for number in order]
            gold = order.index(asked["document"])
            start = shown[gold].text.index(asked["quote"])
            kind = f"{one['language']}, asked in {asked['language']}" if by_language else asked["kind"]
            yield Asked(asked["question"], asked["answer"], kind, shown, gold, start, start + len(asked["quote"]))


def from_articles(rng: random.Random) -> Iterator[Asked]:
    held_out = {question.paragraph for question in corpus.xquad(held_out=True).questions}
    for article in json.loads(corpus.squad())["data"]:
        paragraphs = [paragraph["context"] for paragraph in article["paragraphs"]]
        for paragraph in article["paragraphs"]:
            if paragraph["context"] not in held_out:
                continue
            others = [text for text in paragraphs if text != paragraph["context"]]
            for question in paragraph["qas"]:
                answer = question["answers"][0]
                passages = [paragraph["context"], *rng.sample(others, min(len(others), 2 + FOREIGN))]
                order = rng.sample(range(len(passages)), len(passages))
                shown = [Shown(article["title"], passages[number]) for number in order]
                start = answer["answer_start"]
                place = (start, start + len(answer["text"]))
                yield Asked(question["question"], answer["text"], "articles", shown, order.index(0), *place)


Alike = Callable[[Asked], Sequence[float]]


def by_address() -> Alike:
    """How alike a question and each sentence are, with the shipped adapter."""
    base = load_base()
    card = adapters.choose(base.digest)
    head = (adapters.load(card).head() if card else None) or untrained_head(base)

    @cache
    @torch.no_grad()
    def addresses(text: str) -> torch.Tensor:
        ids = torch.tensor([[*base.start, *base.encode(text)]])
        return head.addresses(early_states(base.model, head.layer, ids)[0, len(base.start) :])

    def of(asked: Asked) -> Sequence[float]:
        passages = [(one.text, addresses(one.text)) for one in asked.shown]
        return alike(base, *question_vectors(base, head, asked.question), passages)

    return of


def is_right(asked: Asked, model: Alike | None = None) -> bool:
    """Whether any quote of a list or of two places, else the only quote, is the gold one."""
    several = asked.kind in ("list", "two")
    quotes = find_quotes(asked.answer, asked.question, asked.shown, partial(model, asked) if model else None)
    return any(
        quote.source == asked.gold and (_within(quote.start, quote.end, asked) or _holds(quote.start, quote.end, asked))
        for quote in (quotes if several else quotes[:1])
    )


def _within(start: int, end: int, asked: Asked) -> bool:
    return asked.start <= start and end <= asked.end


def _holds(start: int, end: int, asked: Asked) -> bool:
    """Whether a quote holds the gold one; not if it is much more than that."""
    text = asked.shown[asked.gold].text
    touched = [(a, b) for a, b in sentences(text) if a < asked.end and asked.start < b]
    return start <= asked.start and asked.end <= end and end - start <= sum(b - a + 1 for a, b in touched)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrong", action="store_true", help="print every wrong quote")
    parser.add_argument("--model", action="store_true", help="with the addresses of the shipped adapter")
    arguments = parser.parse_args()
    model = by_address() if arguments.model else None
    rng = random.Random(0)
    sets = {
        "office": list(from_sets(OFFICE, rng, by_language=False)),
        "languages": list(from_sets(HERE / "languages.jsonl", rng, by_language=True)),
        "articles": list(from_articles(rng)),
    }
    for name, asked in sets.items():
        right: dict[str, list[bool]] = defaultdict(list)
        for one in asked:
            good = is_right(one, model)
            right[one.kind].append(good)
            if arguments.wrong and not good:
                print_wrong(one)
        everything = [good for kind in right.values() for good in kind]
        print(f"{name:<10} {'all':<20} {len(everything):>5}  {sum(everything) / len(everything):.3f}")
        for kind, goods in sorted(right.items()):
            print(f"{name:<10} {kind:<20} {len(goods):>5}  {sum(goods) / len(goods):.3f}")


def print_wrong(asked: Asked) -> None:
    text = asked.shown[asked.gold].text
    print(f"\n[{asked.kind}] {asked.question}  →  {asked.answer}\n  gold   {text[asked.start : asked.end]!r}")
    for quote in find_quotes(asked.answer, asked.question, asked.shown):
        print(f"  quoted {quote.text!r} ({'gold' if quote.source == asked.gold else 'another'} passage)")


if __name__ == "__main__":
    main()
