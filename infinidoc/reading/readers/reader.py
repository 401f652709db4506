"""What a reader is: something that answers a question from passages, or says that they don't hold the answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from infinidoc.errors import InfinidocError
from infinidoc.model.prompts import ANSWER


@dataclass(frozen=True)
class Piece:
    """A text to answer from, and where it stands: `document` as people know it, `place` as "page 3"."""

    document: str
    place: str
    text: str


class Reader(Protocol):
    """`name` says which one answered: a model's name, or an endpoint's address and model."""

    @property
    def name(self) -> str: ...

    def fits(self, question: str, passages: Sequence[Piece], max_tokens: int) -> int:
        """How many of the passages, best first, it can be shown.

        Raises InfinidocError if not even the question fits.
        """
        ...

    def read(
        self,
        question: str,
        passages: Sequence[Piece],
        max_tokens: int,
        on_text: Callable[[str], None],
        style: str = ANSWER,
    ) -> str:
        """An answer from passages, best first; `on_text` gets it piece by piece. Empty if it has nothing to say.

        `style` is ANSWER, a few words, or EXPLANATION, one to three sentences.

        Raises ReaderError if it can't be had.
        """
        ...


class ReaderError(InfinidocError):
    """A reader that doesn't answer, or not as it should."""
