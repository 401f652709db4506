"""What training, and what a byte, buys in recall: address heads against others, over the paragraphs of all articles.

    python benchmarks/recall_heads.py                    # the shipped head, fewer dimensions, untrained; BM25, MiniLM
    python benchmarks/recall_heads.py --adapter runs/head

Questions: those on the held-out articles of `infinidoc/training/data/xquad-en-dev.json`, and paraphrases of such with
little of their passage's wording (`paraphrases.jsonl`, written by hand for this benchmark, never trained on).
Needs `infinidoc[rag]` for BM25 (bm25s, with stemming and stop words) and all-MiniLM-L6-v2, `infinidoc[index]` for
product quantisation.
"""

import argparse
import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from infinidoc.model import adapters
from infinidoc.model.addresses import SCALE, AddressHead, untrained_head
from infinidoc.model.base import load_base
from infinidoc.training.address_head import Pairs, States, cached_states, places, real_pairs
from infinidoc.training.corpus import xquad

Rounding = Callable[[Tensor], Tensor]  # unit vectors (…, 128) to what is left of them
PARAPHRASES = Path(__file__).with_name("paraphrases.jsonl")


def with_paraphrases(real: Pairs) -> tuple[Pairs, list[int], list[int]]:
    """All questions, and which are the real ones and which the paraphrases."""
    lines = [json.loads(line) for line in PARAPHRASES.read_text(encoding="utf-8").splitlines()]
    extra = [
        (line["question"], next(i for i, text in enumerate(real.passages) if text.startswith(line["paragraph"])))
        for line in lines
    ]
    number = len(real.questions)
    return Pairs(real.passages, [*real.questions, *extra]), [*range(number)], [*range(number, number + len(extra))]


def scalar(bits: int) -> Rounding:
    """Numbers of so many bits; of fewer than 8, scaled to an address's largest, or most of them would go unused."""
    step = SCALE if bits == 8 else 2 ** (bits - 1) - 1

    def rounded(unit: Tensor) -> Tensor:
        scale = 1.0 if bits == 8 else unit.abs().amax(-1, keepdim=True)
        return (unit / scale * step).round() / step * scale

    return rounded


def product(size: int, seen: Tensor) -> Rounding:
    """Product quantisation to so many bytes (Jégou et al. 2011), learnt from the addresses that it will keep."""
    import faiss

    quantiser = faiss.ProductQuantizer(seen.shape[1], size, 8)
    quantiser.train(seen.numpy())
    return lambda unit: torch.from_numpy(quantiser.decode(quantiser.compute_codes(unit.contiguous().numpy())))


def scores(head: AddressHead, states: States, rounded: Rounding) -> Tensor:
    """Late interaction as `ask` computes it, with addresses rounded to what is kept of them."""
    rows = []
    passages = [
        torch.nn.functional.normalize(rounded(head.project(text.float() * head.std + head.mean)), dim=-1)
        for text in states.passages
    ]
    for ids, asked in states.questions:
        vectors, weights = head.question(ids, asked.float() * head.std + head.mean)
        rows.append(torch.stack([(vectors @ passage.T).amax(-1) @ weights for passage in passages]))
    return torch.stack(rows)


def bm25(pairs: Pairs) -> torch.Tensor:
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    index = bm25s.BM25()
    index.index(
        bm25s.tokenize(pairs.passages, stopwords="en", stemmer=stemmer, show_progress=False), show_progress=False
    )
    questions = bm25s.tokenize(
        [text for text, _ in pairs.questions], stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False
    )
    return torch.stack(
        [
            torch.from_numpy(index.get_scores(words)) if words else torch.zeros(len(pairs.passages))
            for words in questions
        ]
    )


def minilm(pairs: Pairs) -> torch.Tensor:
    from infinidoc.baselines.retrieval import Embedder

    embed = Embedder()
    return torch.tensor(embed([text for text, _ in pairs.questions], question=True) @ embed(pairs.passages).T)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adapter", help="a name or a run's directory; default: the shipped one")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    base = load_base()
    card = adapters.choose(base.digest, arguments.adapter)
    plain = untrained_head(base)
    pairs, real, paraphrased = with_paraphrases(real_pairs(xquad(held_out=True), xquad(held_out=False)))
    states = cached_states(base, plain, pairs, lambda done, total: None)
    right = [index for _, index in pairs.questions]
    heads = {"untrained": (plain, 128, scalar(8))}
    trained = adapters.load(card).head() if card else None
    if trained:
        heads["trained"] = (trained, 128, scalar(8))
        heads["trained, 4 bits"] = (trained, 64, scalar(4))
        heads["trained, 2 bits"] = (trained, 32, scalar(2))
        # Fewer dimensions of the same head: the directions in which its addresses vary most.
        seen = torch.cat([trained.project(text.float() * plain.std + plain.mean) for text in states.passages])
        directions = torch.linalg.eigh(seen.T @ seen).eigenvectors.flip(1)
        for dimensions in (64, 32):
            turn = directions[:, :dimensions]
            heads[f"trained, {dimensions} dimensions"] = (
                replace(
                    trained,
                    projection=trained.projection @ turn,
                    question_projection=trained.question_projection @ turn,
                ),
                dimensions,
                scalar(8),
            )
        with contextlib.suppress(ImportError):
            for size in (32, 16, 8):
                heads[f"trained, {size} product codes"] = (trained, size, product(size, seen))
    table = []
    with torch.no_grad():
        for name, (head, size, rounded) in heads.items():
            table.append((name, size, places(scores(head, states, rounded), right)))
    with contextlib.suppress(ImportError):
        table.append(("BM25", None, places(bm25(pairs), right)))
        table.append(("all-MiniLM-L6-v2", None, places(minilm(pairs), right)))
    rows = []
    for name, size, found in table:
        row = {"system": name, "bytes_per_token": size}
        for kind, which in (("questions", real), ("paraphrases", paraphrased)):
            mine = found[which]
            row |= {
                f"{kind}_first": (mine < 1).float().mean().item(),
                f"{kind}_first_five": (mine < 5).float().mean().item(),
            }
        rows.append(row)
    if arguments.json:
        print(json.dumps({"questions": len(real), "paraphrases": len(paraphrased), "rows": rows}, indent=1))
        return
    print(
        f"{len(real)} questions, {len(paraphrased)} paraphrases, {len(pairs.passages)} paragraphs; first / first five"
    )
    for row in rows:
        print(
            f"{row['system']:26} {row['bytes_per_token'] or '-':>4} bytes a token"
            f"   questions {row['questions_first']:.3f} / {row['questions_first_five']:.3f}"
            f"   paraphrases {row['paraphrases_first']:.3f} / {row['paraphrases_first_five']:.3f}"
        )


if __name__ == "__main__":
    main()
