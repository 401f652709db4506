"""From a question and recalled passages to an answer: the prompt, and generation that streams."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import TextStreamer

from infinidoc.errors import InfinidocError
from infinidoc.model.attention import CompressiveMemory
from infinidoc.model.base import BaseModel
from infinidoc.model.kernels import State

NOTHING = "Nothing in this collection bears on that question."


INSTRUCTION = "Answer the question briefly, using only the text."


def prompt(base: BaseModel, question: str, passages: Sequence[str]) -> list[int]:
    """Token ids of what the reader sees: passages, best last (next to the question), then the question.

    A model with a chat template gets its own; text from documents is never read as the template's special tokens.
    """
    text = "\n\n".join([*reversed(passages), f"Question: {question.strip()}"])
    tokenizer = base.tokenizer
    if not tokenizer.chat_template:
        return [*base.start, *base.encode(f"{text}\nAnswer:")]
    hole = "\ue000"  # a private character marks the place, so that only the template is read for special tokens
    messages = [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": hole}]
    try:
        template = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except Exception:  # templates without a system role (gemma, mistral) raise whatever their author chose
        messages = [{"role": "user", "content": f"{INSTRUCTION}\n\n{hole}"}]
        template = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    before, after = str(template).split(hole)
    ids = [tokenizer(part, add_special_tokens=False).input_ids for part in (before, after)]
    return [*ids[0], *base.encode(text), *ids[1]]


def fitting_prompt(base: BaseModel, question: str, passages: Sequence[str], max_tokens: int) -> tuple[list[int], int]:
    """The prompt with as many of the best passages as the model's window holds, and how many those are.

    Raises InfinidocError if not even the question fits.
    """
    room = base.model.config.get_text_config(decoder=True).max_position_embeddings - max_tokens
    for count in range(len(passages), -1, -1):
        ids = prompt(base, question, passages[:count])
        if len(ids) <= room:
            return ids, count
    raise InfinidocError(f"the question is too long for the model's window of {room} tokens", "ask a shorter one")


class Stream(TextStreamer):
    """Hands on text as soon as it is certain: no half words, no half characters."""

    def __init__(self, base: BaseModel, on_text: Callable[[str], None]):
        super().__init__(base.tokenizer, skip_prompt=True, skip_special_tokens=True)
        self.on_text = on_text

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        if text:
            self.on_text(text)


@torch.no_grad()
def generate(
    base: BaseModel, ids: Sequence[int], state: list[State] | None, max_tokens: int, on_text: Callable[[str], None]
) -> str:
    """Greedy continuation of a prompt, with a compressive memory behind its window; streams text as it comes."""
    memory = CompressiveMemory(base.model, state).read_only()
    prompt = torch.tensor([list(ids)], device=base.device)
    pieces: list[str] = []

    def keep(text: str) -> None:
        pieces.append(text)
        on_text(text)

    options: dict[str, Any] = {"do_sample": False, "max_new_tokens": max_tokens, "streamer": Stream(base, keep)}
    if base.model.generation_config.pad_token_id is None:
        options["pad_token_id"] = base.tokenizer.eos_token_id
    generator: Any = base.model  # its mixins confuse type checkers
    generator.generate(prompt, attention_mask=torch.ones_like(prompt), past_key_values=memory, **options)
    return "".join(pieces).strip()
