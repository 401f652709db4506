"""The tiny model as the benchmarks load it, and readers that know more than a model can."""

import torch

from infinidoc.evaluation.longcontext.reader import Reader
from infinidoc.model.attention import attach, attention_modules
from infinidoc.model.base import load_base


def tiny_base(folder, kernel="least_squares"):
    """The tiny llama with open gates: half of what a head sees comes from the memory."""
    base = load_base(str(folder))
    attach(base.model, kernel)
    with torch.no_grad():
        for module in attention_modules(base.model):
            module.infini.gate_bias.copy_(torch.linspace(-0.5, 0.5, len(module.infini.gate_bias)))
    return base


class Oracle(Reader):
    """Folds like any reader, and answers what it saw hidden; wrongly if the `wrong` word is in the prompt.

    Counts the tokens that it folded (`read`), and keeps the states that it was asked with.
    """

    def __init__(self, base, wrong=None):
        super().__init__(base)
        self.read, self.states, self.texts, self.wrong = [], [], [], wrong
        self.stop_after = None

    def fold(self, segments, advance=lambda tokens: None):
        listed = [list(segment) for segment in segments]
        if self.stop_after is not None and len(self.read) >= self.stop_after:
            raise KeyboardInterrupt
        self.read.append(sum(map(len, listed)))
        self.texts.append("".join(self.base.tokenizer.decode(segment) for segment in listed))
        return super().fold(listed, advance)

    def answer(self, prompts, states, max_tokens):
        self.states += states
        seen = [text for text in self.texts if "pass key" in text][-len(prompts) :]
        assert len(seen) == len(prompts)
        return [self.recite(text) for text in seen]

    def recite(self, text):
        key = text.split("The pass key is ")[1].split(".")[0]
        return " 00000" if self.wrong is not None and int(key) % 2 == self.wrong else f" {key}. Remember it."
