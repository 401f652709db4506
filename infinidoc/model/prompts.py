"""How a model is asked. Readers are trained on these words and answer to them.

What a trained reader sees is built from token ids, part by part: the tokens that open and close a part are the base
model's own turn marks, and no text is ever encoded into one of them. So nothing that stands in a document can end its
passage, pose as the question, or begin an answer.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it imports torch
    from infinidoc.model.base import BaseModel

# What a trained reader says when the passages don't hold the answer.
REFUSAL = "not in these documents"
ANSWER, EXPLANATION = "answer", "explanation"  # a few words of the text; one to three sentences
PASSAGE, QUESTION = "passage", "question"

Titled = tuple[str, str]
"""A passage as a reader sees it: where it is from ("minutes.docx, page 3", or ""), and its text."""


def question_prompt(question: str, passages: Sequence[str] = ()) -> str:
    """The plain form, for models that no reader was trained for and for the compressive memory: passages, if there are
    any, and the question; the answer continues the text up to the line's end."""
    return "\n\n".join([*passages, f"Question: {' '.join(question.split())}\nAnswer:"])


def reading_prompt(base: "BaseModel", question: str, shown: Sequence[Titled], style: str = ANSWER) -> list[int]:
    """Token ids of passages in the order given, the question, and the opening of an answer (see `BaseModel.marks`)."""
    ids = list(base.start)
    for title, text in shown:
        ids += passage_part(base, title, text)
    return [*ids, *question_part(base, question, style)]


def passage_part(base: "BaseModel", title: str, text: str) -> list[int]:
    opening, closing = base.marks
    head = f"{PASSAGE}\n{' '.join(title.split())}\n" if title else f"{PASSAGE}\n"
    return [opening, *base.encode(head), *base.encode(text.strip()), closing]


def question_part(base: "BaseModel", question: str, style: str = ANSWER) -> list[int]:
    opening, closing = base.marks
    asked = base.encode(f"{QUESTION}\n{' '.join(question.split())}")
    return [opening, *asked, closing, opening, *base.encode(f"{style}\n")]
