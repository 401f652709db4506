"""Whole documents on the command line: found, read with something to look at, and ready to be asked."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from infinidoc.cli import loading
from infinidoc.cli.ingest import advance
from infinidoc.cli.models import fetch
from infinidoc.cli.progress import Show, progress

if TYPE_CHECKING:
    from infinidoc.reading.through import ReadingProgress
    from infinidoc.reading.whole_documents import WholeDocuments


@contextmanager
def whole_documents(collection: str | None, names: Sequence[str], reader: str) -> "Iterator[WholeDocuments]":
    """Documents of a collection, or files that are in none, read from start to end.

    Raises InfinidocError for a name that means neither, or several documents; KeyboardInterrupt leaves what was read.
    """
    from infinidoc.memory.places import place
    from infinidoc.memory.store import Store
    from infinidoc.reading.borrowed import holding
    from infinidoc.reading.readers import choice
    from infinidoc.reading.whole_documents import WholeDocuments

    choice.check(reader)
    with ExitStack() as stack:
        target = None
        if collection is not None or Store.exists(place().directory):
            target = stack.enter_context(loading.opened(collection))
        else:  # there are still files
            fetch(None)
        with progress() as show:
            target = stack.enter_context(holding(target, names, partial(advance, show), loading.MODELS))
        if target.documents():
            loading.ready_to_answer(target, reader)
        yield WholeDocuments(target, names, reader, Bar().notify)


class Bar:
    """A progress bar that is there as long as documents are being read, which is when they are first needed."""

    def __init__(self) -> None:
        self._shown = ExitStack()
        self._show: Show | None = None

    def notify(self, reached: "ReadingProgress") -> None:
        show = self._show = self._show or self._shown.enter_context(progress())
        show("reading", reached.done, reached.total, reached.read, "tokens", reached.name)
        if reached.done >= reached.total:
            self._shown.close()
            self._show = None
