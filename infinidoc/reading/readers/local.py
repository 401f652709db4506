"""Models on this machine as readers: a collection's own, or another one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infinidoc.model.base import BaseModel
from infinidoc.model.loading import has_own_reader, load
from infinidoc.model.prompts import ANSWER
from infinidoc.model.threads import on_free_cores
from infinidoc.reading import answering
from infinidoc.reading.readers.reader import Piece
from infinidoc.reading.weighing import weighed

if TYPE_CHECKING:
    from infinidoc.model.kernels import State


@dataclass(frozen=True)
class LocalReader:
    """A loaded model to which infini-attention is attached; `state` is the memory behind its window, if it has one."""

    base: BaseModel
    state: "list[State] | None" = None

    @property
    def name(self) -> str:
        return self.base.name

    def fits(self, question: str, passages: Sequence[Piece], max_tokens: int) -> int:
        return answering.fitting_prompt(self.base, question, shown(passages), max_tokens)[1]

    @on_free_cores()
    def read(
        self,
        question: str,
        passages: Sequence[Piece],
        max_tokens: int,
        on_text: Callable[[str], None],
        style: str = ANSWER,
    ) -> str:
        ids, count = answering.fitting_prompt(self.base, question, shown(passages), max_tokens, style)
        if not has_own_reader(self.base) or style != ANSWER:
            return answering.generate(self.base, ids, self.state, max_tokens, on_text)
        text = weighed(self.base, question, shown(passages[:count]), max_tokens)
        on_text(text)
        return text


def shown(passages: Sequence[Piece]) -> list[tuple[str, str]]:
    return [(answering.titled(one.document, one.place), one.text) for one in passages]


def load_reader(name: str) -> LocalReader:
    """Another base model than the collection's, with the adapter that new collections of it would get.

    Raises InfinidocError if either can't be had.
    """
    return LocalReader(load(name, to_read=True)[0])
