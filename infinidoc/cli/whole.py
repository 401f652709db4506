"""Whole documents on the command line: found, read with something to look at, and ready to be asked."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from infinidoc.cli import loading
from infinidoc.cli.ingest import advance
from infinidoc.cli.models import fetch
from infinidoc.cli.progress import progress
from infinidoc.errors import InfinidocError

if TYPE_CHECKING:
    from infinidoc.reading.through import ReadingProgress
    from infinidoc.reading.whole_documents import WholeDocuments


@contextmanager
def whole_documents(collection: str | None, names: Sequence[str], reader: str) -> "Iterator[WholeDocuments]":
    """Documents of a collection, or files that are in none, read from start to end.

    Raises InfinidocError for a name that means neither, or several documents; KeyboardInterrupt leaves what was read.
    """
    from infinidoc.reading.borrowed import holding
    from infinidoc.reading.readers import choice
    from infinidoc.reading.whole_documents import WholeDocuments

    choice.check(reader)
    with ExitStack() as stack:
        target = None
        try:
            target = stack.enter_context(loading.opened(collection))
        except InfinidocError:
            if collection is not None:  # without one there are still files
                raise
        if target is None:
            fetch(None)
        with progress() as show:
            target = stack.enter_context(holding(target, names, partial(advance, show), loading.MODELS))
        if target.documents():
            loading.ready_to_answer(target, reader)
        with progress() as show:

            def notify(reached: "ReadingProgress") -> None:
                show("reading", reached.done, reached.total, reached.read, "tokens", reached.name)

            whole = WholeDocuments(target, names, reader, notify)
        yield whole
