"""Free-text outputs: the nearest examples are recalled into the window, and the model goes on after the new input."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from infinidoc.errors import InfinidocError
from infinidoc.manyshot.store import Example
from infinidoc.model.base import BaseModel

ROOM = 1_024  # tokens of examples; small models lose the thread in more


@dataclass(frozen=True)
class Generated:
    """Text that was generated for an input, and the examples that the model was shown, nearest first."""

    input: str
    text: str = ""
    examples: list[Example] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def prompt(base: BaseModel, text: str, examples: Sequence[Example], max_tokens: int) -> tuple[list[int], int]:
    """Token ids of examples (nearest last, next to the new input) and the input, and how many examples fitted in.

    Raises InfinidocError if not even the input fits into the model's window.
    """
    window = base.model.config.get_text_config(decoder=True).max_position_embeddings - max_tokens
    asked = base.encode(_line(text, "").rstrip())
    ids: list[int] = []
    shown = 0
    for example in examples:
        more = base.encode(_line(example.input, example.output) + "\n\n")
        if len(more) + len(ids) > ROOM or len(base.start) + len(more) + len(ids) + len(asked) > window:
            break
        ids = more + ids
        shown += 1
    if len(base.start) + len(asked) > window:
        raise InfinidocError(f"a text is too long for the model's window of {window} tokens", "cut it into pieces")
    return [*base.start, *ids, *asked], shown


def _line(input: str, output: str) -> str:
    return f"Input: {' '.join(input.split())}\nOutput: {' '.join(output.split())}"


def generate(
    base: BaseModel, texts: Sequence[str], examples: Sequence[Sequence[Example]], max_tokens: int
) -> Iterator[Generated]:
    """A line of text for each input, greedily, given its examples, nearest first."""
    from infinidoc.model.attention import attach
    from infinidoc.reading.answering import generate as continued

    attach(base.model)
    for text, near in zip(texts, examples, strict=True):
        ids, shown = prompt(base, text, near, max_tokens)
        yield Generated(text, continued(base, ids, None, max_tokens, lambda _: None), list(near[:shown]))
