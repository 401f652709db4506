"""From which layer should addresses come? The same head, trained on the states of each, over held-out questions.

    python benchmarks/head_layers.py --layers 6,7,8,9,10      # some five minutes a layer on one core

Questions and paraphrases as in `recall_heads.py`. A layer further up costs more of every ingest without a memory.
"""

import argparse

import torch
from recall_heads import scores, with_paraphrases

from infinidoc.model.addresses import untrained_head
from infinidoc.model.base import load_base
from infinidoc.training.address_head import Settings, cached_states, places, real_pairs, train
from infinidoc.training.corpus import xquad


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", default="6,7,8,9,10")
    parser.add_argument("--steps", type=int, default=Settings.steps)
    arguments = parser.parse_args()
    base = load_base()
    pairs, real, paraphrased = with_paraphrases(real_pairs(xquad(held_out=True), xquad(held_out=False)))
    right = [index for _, index in pairs.questions]
    print(
        f"{len(real)} questions, {len(paraphrased)} paraphrases, {len(pairs.passages)} paragraphs; first / first five"
    )
    for layer in map(int, arguments.layers.split(",")):
        head = train(base, Settings(layer=layer, steps=arguments.steps))
        states = cached_states(base, untrained_head(base, layer), pairs, lambda done, total: None)
        with torch.no_grad():
            found = places(scores(head, states), right)
        cells = [f"{(found[which] < k).float().mean().item():.3f}" for which in (real, paraphrased) for k in (1, 5)]
        print(f"layer {layer:2}   questions {cells[0]} / {cells[1]}   paraphrases {cells[2]} / {cells[3]}", flush=True)


if __name__ == "__main__":
    main()
