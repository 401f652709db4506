"""Help texts: plain paragraphs, and examples that keep their lines."""

import inspect
from collections.abc import Iterator
from typing import Any


def paragraphs(text: str) -> Iterator[tuple[str, bool]]:
    """The paragraphs of a help text, unwrapped; those that are indented are examples, and stay as they are (True)."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith(" "):
            yield paragraph, True
        elif paragraph:
            yield " ".join(paragraph.split("\n")), False


def tidy(command: Any) -> None:
    """Makes the help of a Click command, and of all below it, ready for a terminal: brackets are no markup there."""
    from rich.markup import escape

    if command.help:
        command.help = escape("\n\n".join(text for text, _ in paragraphs(command.help)))
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = escape(parameter.help)
    for inner in getattr(command, "commands", {}).values():
        tidy(inner)
