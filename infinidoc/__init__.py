"""infinidoc reads document collections into the memory of an Infini-attention language model, and answers from them.

>>> from infinidoc import Collection
>>> collection = Collection.open("manuals")
>>> collection.ingest(["./docs"])
>>> answer = collection.ask("How is the filter changed?")
>>> print(answer.text, [quote.text for quote in answer.quotes], [source.document for source in answer.sources])

Or it learns a task from examples:

>>> from infinidoc import Task
>>> task = Task.open("tickets")
>>> task.learn("tickets.csv", input="subject", output="team")
>>> print(task.predict("The invoice is wrong")[0].label)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from infinidoc.errors import InfinidocError

if TYPE_CHECKING:
    from infinidoc.manyshot.task import Task
    from infinidoc.reading.answers import Answer, Source
    from infinidoc.reading.collection import Collection
    from infinidoc.reading.conversation import Conversation
    from infinidoc.reading.quoting import Quote
    from infinidoc.reading.scope import Scope
    from infinidoc.reading.whole_documents import WholeDocuments

_MODULES = {
    "Answer": "reading.answers",
    "Collection": "reading.collection",
    "Conversation": "reading.conversation",
    "Quote": "reading.quoting",
    "Scope": "reading.scope",
    "Source": "reading.answers",
    "Task": "manyshot.task",
    "WholeDocuments": "reading.whole_documents",
}
__all__ = [
    "Answer",
    "Collection",
    "Conversation",
    "InfinidocError",
    "Quote",
    "Scope",
    "Source",
    "Task",
    "WholeDocuments",
]


def __getattr__(name: str) -> Any:
    # Imported when first asked for: torch takes seconds, and `infinidoc --help` shouldn't.
    if name in _MODULES:
        return getattr(import_module(f"infinidoc.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})  # for help(infinidoc), and whoever completes names
