"""The reference of the command line, made from its help:  python -m infinidoc.cli.reference > docs/cli.md"""

import inspect
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, get_args, get_type_hints

import typer
from typer.models import OptionInfo, ParameterInfo

from infinidoc.cli import app, render
from infinidoc.cli.help import paragraphs

HEAD = """# The command line

Made from the help texts by `python -m infinidoc.cli.reference > docs/cli.md`; every command has them under `--help`.
"""


def reference() -> str:
    """All commands in the order of `infinidoc --help`, as Markdown."""
    return "\n".join([HEAD, *groups(app, "infinidoc")])


def groups(group: typer.Typer, name: str) -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback is not None
        called = f"{name} {command.name or command.callback.__name__.replace('_', '-')}"
        yield f"## {called}\n"
        yield from described(command.help or command.callback.__doc__ or "")
        yield from parameters(command.callback)
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield f"## {name} {inner.name}\n"
        yield from described(inner.typer_instance.info.help or "")
        yield from groups(inner.typer_instance, f"{name} {inner.name}")


def described(text: str) -> Iterator[str]:
    """A help text; its examples as blocks of code."""
    for is_example, parts in groupby(paragraphs(text), key=lambda part: part[1]):
        for part in ["\n".join(inspect.cleandoc(part) for part, _ in parts)] if is_example else (p for p, _ in parts):
            yield f"```\n{part}\n```\n" if is_example else f"{part}\n"


def parameters(command: Callable[..., Any]) -> Iterator[str]:
    """A list of a command's arguments and options."""
    hints = get_type_hints(command, include_extras=True)
    rows = []
    for name, parameter in inspect.signature(command).parameters.items():
        info = next(part for part in get_args(hints[name]) if isinstance(part, ParameterInfo))
        rows.append(f"- {shown(name, info, get_args(hints[name])[0], parameter.default)}")
    if rows:
        yield "\n".join(rows) + "\n"


def shown(name: str, info: ParameterInfo, kind: Any, default: Any) -> str:
    """An argument or option: its names, its value, what it is for, what it is by default."""
    choices = [str(choice) for part in (kind, *get_args(kind)) for choice in get_args(part) if isinstance(choice, str)]
    value = info.metavar or "|".join(dict.fromkeys(choices)) or name.upper()
    if isinstance(info, OptionInfo):
        # Inside of Annotated, the first name stands where a default would.
        given = [part for part in (info.default, *(info.param_decls or ())) if isinstance(part, str)]
        names = ", ".join(given or [f"--{name.replace('_', '-')}"])
        value = names if kind is bool else f"{names} {value}"
    unsaid = default in (None, [], False, inspect.Parameter.empty) or info.show_default is False
    also = [f"default: {default}"] * (not unsaid and kind is not bool) + [f"or {info.envvar}"] * bool(info.envvar)
    return f"`{value}`: {info.help}" + (f" ({'; '.join(also)})" if also else "")


if __name__ == "__main__":
    render.print_document(reference())
