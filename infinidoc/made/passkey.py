"""The passkey task (Mohtashami & Jaggi, arXiv 2305.16300; as Infini-attention is tested on it, arXiv 2404.07143): five
random digits in a text that says nothing, over and over. Pure Python.

The task's first line, which announces a quiz, is left out: segments are read one by one, and only one would see it.
"""

import random

from infinidoc.made.sample import Sample

FILLER = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
PROMPT = "What is the pass key? The pass key is"
DEPTHS = (0.0, 0.5, 1.0)  # the paper's start, middle and end


def sample(rng: random.Random) -> Sample:
    """A pass key of five digits, the first of them not 0. The same `rng` state gives the same key."""
    key = rng.randrange(10_000, 100_000)
    return Sample([f"The pass key is {key}. Remember it. {key} is the pass key."], PROMPT, str(key))
