"""Which follow-ups lean on what was asked before, and whether what is added to them finds the right passage.

    python benchmarks/followups.py                 # a minute: the shipped adapter's addresses
    python benchmarks/followups.py --no-model      # seconds: only whether a question leans
    python benchmarks/followups.py --wrong         # and every decision and passage that was wrong

Conversations in `followups.jsonl`, written for this benchmark: rules were drawn up on
`infinidoc/training/data/followups.jsonl` (`--training` measures that set) and are only measured here. Searched are the
documents of all its pools. A question is given the gold answers and passages of those before it.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from infinidoc.model import adapters
from infinidoc.model.addresses import early_states, question_vectors, untrained_head
from infinidoc.model.base import load_base
from infinidoc.reading.followups import Turn, leans, with_context

HERE = Path(__file__).parent
TRAINING = HERE.parent / "infinidoc" / "training" / "data" / "followups.jsonl"
Search = Callable[[str], str]  # a question to the text of the passage found first


@dataclass(frozen=True)
class FollowUp:
    """A later question of a conversation, whether it leans, how it is asked so that it doesn't, and its passage."""

    question: str
    before: list[Turn]
    leans: bool
    alone: str
    passage: str


def follow_ups(file: Path) -> Iterator[FollowUp]:
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    pools = {row["pool"]: [document["text"] for document in row["documents"]] for row in rows if "documents" in row}
    for row in rows:
        before: list[Turn] = []
        for turn in row.get("turns", ()):
            passage = pools[row["pool"]][turn["document"]]
            if before:
                yield FollowUp(turn["question"], list(before), turn["leans"], turn["alone"], passage)
            before.append(Turn(turn["question"], turn["answer"], passage))


@torch.no_grad()
def search_by_address(passages: list[str]) -> Search:
    base = load_base()
    card = adapters.choose(base.digest)
    head = (adapters.load(card).head() if card else None) or untrained_head(base)
    addresses = []
    for text in passages:
        ids = torch.tensor([[*base.start, *base.encode(text)]])
        addresses.append(head.project(early_states(base.model, head.layer, ids)[0, len(base.start) :]))

    def search(question: str) -> str:
        vectors, weights = question_vectors(base, head, question)
        scores = torch.stack([(vectors @ passage.T).amax(-1) @ weights for passage in addresses])
        return passages[int(scores.argmax())]

    return search


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-model", action="store_true", help="only decide which questions lean")
    parser.add_argument("--training", action="store_true", help="the set that the rules were drawn up on")
    parser.add_argument("--wrong", action="store_true", help="print what was wrong")
    arguments = parser.parse_args()
    asked = list(follow_ups(TRAINING if arguments.training else HERE / "followups.jsonl"))
    right: dict[tuple[bool, str], list[bool]] = defaultdict(list)
    for one in asked:
        right[one.leans, "decided rightly"].append(leans(one.question, one.before) == one.leans)
        if arguments.wrong and not right[one.leans, "decided rightly"][-1]:
            print(f"{'leans' if one.leans else 'stands alone'}: {one.before[-1].question} | {one.question}")
    if not arguments.no_model:
        search = search_by_address(
            list(dict.fromkeys(turn.passage for one in asked for turn in [*one.before, _last(one)]))
        )
        for one in asked:
            context = with_context(one.question, one.before)
            forms = {"as asked": one.question, "with context": context, "written to stand alone": one.alone}
            for form, question in forms.items():
                right[one.leans, f"passage first, {form}"].append(search(question) == one.passage)
            if arguments.wrong and not right[one.leans, "passage first, with context"][-1]:
                print(f"not found: {one.before[-1].question} | {one.question} | {context}")
    for (leaning, what), goods in sorted(right.items(), reverse=True):
        which = "leans" if leaning else "stands alone"
        print(f"{which:<13} {what:<38} {len(goods):>4}  {sum(goods) / len(goods):.3f}")


def _last(one: FollowUp) -> Turn:
    return Turn(one.question, "", one.passage)


if __name__ == "__main__":
    main()
