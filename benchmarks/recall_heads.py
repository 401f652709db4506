"""What training, and what a byte, buys in recall: address heads against others, over the paragraphs of all articles.

    python benchmarks/recall_heads.py                    # the shipped head, fewer dimensions, untrained; BM25, MiniLM
    python benchmarks/recall_heads.py --adapter runs/head

Questions: those on the held-out articles of `infinidoc/training/data/xquad-en-dev.json`, and paraphrases of such with
little of their passage's wording (`paraphrases.jsonl`, written by hand for this benchmark, never trained on); beside
them, over passages of their own, such as name somebody whom their passage calls "she" (`pronouns.jsonl`). Needs
`infinidoc[rag]` for BM25 (bm25s, with stemming and stop words) and all-MiniLM-L6-v2.
"""

import argparse
import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from infinidoc.model import adapters, codes
from infinidoc.model.addresses import SCALE, AddressHead, untrained_head
from infinidoc.model.base import load_base
from infinidoc.model.codes import Codes
from infinidoc.training.address_head import Pairs, States, cached_states, places, real_pairs
from infinidoc.training.corpus import xquad

Rounding = Callable[[Tensor], Tensor]  # unit vectors (…, 128) to what is left of them
PARAPHRASES, PRONOUNS = (Path(__file__).with_name(f"{name}.jsonl") for name in ("paraphrases", "pronouns"))


def with_paraphrases(real: Pairs) -> tuple[Pairs, list[int], list[int]]:
    """All questions, and which are the real ones and which the paraphrases."""
    lines = [json.loads(line) for line in PARAPHRASES.read_text(encoding="utf-8").splitlines()]
    extra = [
        (line["question"], next(i for i, text in enumerate(real.passages) if text.startswith(line["paragraph"])))
        for line in lines
    ]
    number = len(real.questions)
    return Pairs(real.passages, [*real.questions, *extra]), [*range(number)], [*range(number, number + len(extra))]


def pronouns() -> Pairs:
    rows = [json.loads(line) for line in PRONOUNS.read_text(encoding="utf-8").splitlines()]
    told = {row["document"]["title"]: row["document"]["passages"] for row in rows if "passage" not in row}
    places = {
        place: number for number, place in enumerate((title, n) for title in told for n in range(len(told[title])))
    }
    asked = [(row["question"], places[row["document"], row["passage"]]) for row in rows if "passage" in row]
    return Pairs([text for passages in told.values() for text in passages], asked)


def scalar(bits: int) -> Rounding:
    """Numbers of so many bits; of fewer than 8, scaled to an address's largest, or most of them would go unused."""
    step = SCALE if bits == 8 else 2 ** (bits - 1) - 1

    def rounded(unit: Tensor) -> Tensor:
        scale = 1.0 if bits == 8 else unit.abs().amax(-1, keepdim=True)
        return (unit / scale * step).round() / step * scale

    return rounded


def product(size: int, seen: Tensor) -> Rounding:
    """So many bytes of product codes, learnt from the addresses that they are for."""
    centroids = codes.learn((seen * SCALE).round(), size)
    return lambda unit: Codes(codes.encode((unit * SCALE).round(), centroids), centroids).float() / SCALE


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
    parser.add_argument("--model", help="another base model")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    base = load_base(arguments.model)
    card = adapters.choose(base.digest, arguments.adapter)
    trained = adapters.load(card).head() if card else None
    plain = untrained_head(base, trained.layer if trained else None)
    pairs, real, paraphrased = with_paraphrases(real_pairs(xquad(held_out=True), xquad(held_out=False)))
    sets = [(one, cached_states(base, plain, one, lambda done, total: None)) for one in (pairs, pronouns())]
    states = sets[0][1]
    heads = {"untrained": (plain, 128, scalar(8))}
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
        for size in (32, 16, 8):
            heads[f"trained, {size} product codes"] = (trained, size, product(size, seen))
    table = []
    with torch.no_grad():
        for name, (head, size, rounded) in heads.items():
            table.append((name, size, [places(scores(head, seen, rounded), seen.right) for _, seen in sets]))
    with contextlib.suppress(ImportError):
        for name, score in (("BM25", bm25), ("all-MiniLM-L6-v2", minilm)):
            table.append((name, None, [places(score(one), seen.right) for one, seen in sets]))
    rows = []
    for name, size, found in table:
        row = {"system": name, "bytes_per_token": size}
        kinds = {"questions": found[0][real], "paraphrases": found[0][paraphrased], "pronouns": found[1]}
        for kind, mine in kinds.items():
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
        cells = "".join(f"   {kind} {row[f'{kind}_first']:.3f} / {row[f'{kind}_first_five']:.3f}" for kind in kinds)
        print(f"{row['system']:26} {row['bytes_per_token'] or '-':>4} bytes a token{cells}")


if __name__ == "__main__":
    main()
