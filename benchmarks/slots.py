"""Which pairs slots should keep: going on with a text, and a fact in it, side by side; and what keeping costs.

    python -m benchmarks.slots text dracula.jsonl.xz great-expectations.jsonl.xz --adapter none
    python -m benchmarks.slots seconds dracula.jsonl.xz --adapter runs/slots

FILEs: books as `infinidoc train slots` reads them, the n-th with n times 200,000 characters and more. Of each, four
segments of 511 tokens are read, with a five-digit code told in one of them; then the fifth is scored, and the code
asked for. What is learnt needs an adapter with a write gate: `infinidoc train write-gate`. One thread.
"""

import argparse
import math
import random
import statistics
import time
from pathlib import Path

import torch

from infinidoc.errors import InfinidocError
from infinidoc.evaluation.longcontext.haystack import Haystack, plant
from infinidoc.evaluation.longcontext.perplexity import loss
from infinidoc.evaluation.longcontext.reader import Reader
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.loading import load
from infinidoc.model.slots import KEEP
from infinidoc.training.books import read

SEGMENT, BEFORE = 511, 4
DEPTHS = (0.5, 0.3, 0.7, 0.1, 0.9)
FACT = " Remember: the access code of the north gate is {code}."
QUESTION = " Question: What is the access code of the north gate?\nAnswer: The access code of the north gate is"
KINDS = [(size, KEEP) for size in (64, 128, 256, 512)] + [
    (256, keep)
    for keep in (("recent",), ("sampled",), ("late",), ("residual",), ("learnt",), ("attention", "residual"))
]


def named(slots: int, keep: tuple[str, ...]) -> str:
    return f"{slots} slots by {' and '.join(keep)}"


@torch.no_grad()
def text(base, books) -> None:
    found: dict[str, list[tuple[float, float]]] = {}
    decoder, reader = base.model.get_decoder(), Reader(base)
    for index, book in enumerate(books):
        at, code = 200_000 * (index + 1), str(random.Random(f"7/{index}").randrange(10_000, 99_999))
        ids = base.encode(read(book)[at : at + 40_000])[300:]
        haystack = Haystack(lambda start, stop, ids=ids: ids[start:stop], (BEFORE + 1) * SEGMENT, SEGMENT)
        depth = DEPTHS[index % len(DEPTHS)] * BEFORE / (BEFORE + 1)
        told = plant(haystack, [base.encode(FACT.format(code=code))], [depth], reader.text)
        segments = [told.get(number) or haystack.segment(number) for number in range(BEFORE)]
        last, question, answer = haystack.segment(BEFORE), base.encode(QUESTION), base.encode(f" {code}")

        def score(name, start, memory, last=last, question=question, answer=answer) -> None:
            ids = torch.tensor([[*start, *question, *answer]])
            given = base.model(ids, past_key_values=memory.copy()).logits[0, -len(answer) - 1 : -1].argmax(-1)
            right = (given == torch.tensor(answer)).float().mean().item()
            nats = loss(base.model, [*start, *last], len(last) - 1, memory.copy()) / (len(last) - 1)
            found.setdefault(name, []).append((nats, right))

        score("window alone", base.start, CompressiveMemory(base.model))
        whole = CompressiveMemory(base.model)
        decoder(torch.tensor([[*base.start, *(token for segment in segments for token in segment)]]), whole)
        score("full attention", [], whole)
        for kind in KINDS:
            memory = CompressiveMemory(base.model, slots=kind[0], keep=kind[1])
            for number, segment in enumerate(segments):
                decoder(torch.tensor([segment if number else [*base.start, *segment]]), memory)
                memory.fold()
            score(named(*kind), [], memory)
    perplexity = {name: math.exp(statistics.mean(nats for nats, _ in rows)) for name, rows in found.items()}
    alone, full = perplexity["window alone"], perplexity["full attention"]
    for name, rows in found.items():
        gap, right = (alone - perplexity[name]) / (alone - full), statistics.mean(right for _, right in rows)
        print(f"{name:40} perplexity {perplexity[name]:6.2f}  of the gap {gap:5.2f}  digits right {right:.2f}")


@torch.no_grad()
def seconds(base, books) -> None:
    """A segment of 512 tokens, forward and fold, in turn; processor time, since others may be at work."""
    decoder, spent = base.model.get_decoder(), {}
    ids = torch.tensor([base.encode(read(books[0])[5_000:9_000])[:512]])
    memories = {named(*kind): CompressiveMemory(base.model, slots=kind[0], keep=kind[1]) for kind in KINDS}
    for turn in range(8):
        for name, memory in {"no memory": None, **memories}.items():
            begun = time.process_time()
            decoder(ids, memory)
            middle = time.process_time()
            if memory:
                memory.fold()
            if turn > 1:  # the slots are full
                spent.setdefault(name, []).append((middle - begun, time.process_time() - middle))
    plain = statistics.median(sum(pair) for pair in spent["no memory"])
    for name, pairs in spent.items():
        forward, fold = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
        total = statistics.median(map(sum, pairs)) / plain - 1
        print(f"{name:40} forward {forward:6.0f} ms  fold {fold:5.0f} ms  {100 * total:+.0f} %")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("text", "seconds"))
    parser.add_argument("books", nargs="+", type=Path)
    parser.add_argument("--adapter", default="none")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, _ = load(None, options.adapter, slots=True)
    try:
        CompressiveMemory(model.model, slots=1, keep=("learnt",))
    except InfinidocError as error:
        print(f"without what is learnt: {error}")
        KINDS = [kind for kind in KINDS if "learnt" not in kind[1]]
    {"text": text, "seconds": seconds}[options.what](model, options.books)
