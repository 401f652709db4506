"""How a model is asked. Adapters are trained on these words and answer to them."""

from collections.abc import Sequence

# What a trained reader says when the passages don't hold the answer.
REFUSAL = "not in these documents"


def question_prompt(question: str, passages: Sequence[str] = ()) -> str:
    """Passages, if there are any, and the question; the answer continues the text up to the line's end."""
    return "\n\n".join([*passages, f"Question: {' '.join(question.split())}\nAnswer:"])
