"""From a question and recalled passages to an answer: the prompt, and generation that streams."""

from collections.abc import Callable, Sequence
from pathlib import PurePath

import torch

from infinidoc.errors import InfinidocError
from infinidoc.model import decoding
from infinidoc.model.adapters import READER
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.kernels import State
from infinidoc.model.loading import has_own_reader
from infinidoc.model.prompts import ANSWER, EXPLANATION, REFUSAL, Titled, question_prompt, reading_prompt

# Shows a model that was never trained for it what a grounded answer looks like: short, and in the text's own words.
# Asked through its chat template instead, the embedded model rambles; and a base model without one reads this as well.
EXAMPLE = """The Harwick lighthouse was built in 1874 by Ellen Marsh. \
It stands 31 metres high and was painted red in 1920.

Question: Who built the Harwick lighthouse?
Answer: Ellen Marsh

Question: How high is the lighthouse?
Answer: 31 metres"""
EXPLAINED = EXAMPLE.replace("Answer: Ellen Marsh", "Answer: It was built in 1874 by Ellen Marsh.").replace(
    "Answer: 31 metres", "Answer: The lighthouse stands 31 metres high. It was painted red in 1920."
)


def prompt(base: BaseModel, question: str, passages: Sequence[Titled], style: str = ANSWER) -> list[int]:
    """Token ids of what the reader sees: the passages, best last (next to the question), and the question.

    A model that wasn't trained to read is shown an example first, and no titles. Special tokens that a document or a
    question spells out are text like any other.
    """
    if has_own_reader(base):
        return reading_prompt(base, question, passages[::-1], style)
    texts = [text for _, text in reversed(passages)]
    if READER not in getattr(base.model.config, "infini_parts", ()):
        texts.insert(0, EXPLAINED if style == EXPLANATION else EXAMPLE)
    return [*base.start, *base.encode(question_prompt(question, texts))]


def titled(document: str, place: str) -> str:
    """Where a passage is from, as readers see it: the file's name without its folders, and the place in it."""
    return ", ".join(part for part in (PurePath(document).name, place) if part)


def refuses(text: str) -> bool:
    """Whether a trained reader's answer says that the passages don't hold one."""
    return text.strip(" .").lower() == REFUSAL


def fitting_prompt(
    base: BaseModel, question: str, passages: Sequence[Titled], max_tokens: int, style: str = ANSWER
) -> tuple[list[int], int]:
    """The prompt with as many of the best passages as the model's window holds, and how many those are.

    Raises InfinidocError if not even the question fits.
    """
    room = base.model.config.get_text_config(decoder=True).max_position_embeddings - max_tokens
    for count in range(len(passages), -1, -1):
        ids = prompt(base, question, passages[:count], style)
        if len(ids) <= room:
            return ids, count
    raise InfinidocError(f"the question is too long for the model's window of {room} tokens", "ask a shorter one")


class Line:
    """Hands on a line of text as its tokens come, as soon as it is certain: no half words, no half characters."""

    def __init__(self, base: BaseModel, on_text: Callable[[str], None]):
        self.base, self.on_text, self.text, self.ended = base, on_text, "", False
        self._tokens: list[int] = []
        self._heard = 0  # characters of what the tokens say

    def add(self, token: int) -> bool:
        """Whether the line has ended: the next one would be another question."""
        self._tokens.append(token)
        said = self.base.decode(self._tokens)
        whole = len(said) if _is_word(said[-1:]) else max(said.rfind(" "), said.rfind("\n")) + 1
        self._hear(said[self._heard : whole])
        self._heard = max(self._heard, whole)
        return self.ended

    def end(self) -> str:
        """All of the line; nothing comes after the last token."""
        self._hear(self.base.decode(self._tokens)[self._heard :])
        return self.text.strip()

    def _hear(self, text: str) -> None:
        if not self.text:
            text = text.lstrip()
        line, newline, _ = text.partition("\n")
        if line and not self.ended:
            self.text += line
            self.on_text(line)
        self.ended = self.ended or bool(self.text and newline)


def _is_word(character: str) -> bool:
    """Whether a character is a word by itself, as in Chinese."""
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or character >= "\U00020000"


def generate(
    base: BaseModel, ids: Sequence[int], state: list[State] | None, max_tokens: int, on_text: Callable[[str], None]
) -> str:
    """Continues a prompt greedily up to the line's end, with a compressive memory behind the window; streams it."""
    memory = CompressiveMemory(base.model, state).read_only()
    line = Line(base, on_text)
    decoding.generate(base, torch.tensor([list(ids)]), memory, max_tokens, lambda tokens: line.add(int(tokens[0])))
    return line.end()
