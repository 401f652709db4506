"""`infinidoc tasks`."""

from typing import Annotated

import typer

from infinidoc.cli import render
from infinidoc.cli.options import JsonOption

app = typer.Typer(no_args_is_help=True, help="List, show and remove learnt tasks, or single examples.")

Name = Annotated[str, typer.Argument(help="The task.")]
SHOWN_OUTPUTS = 20


@app.command("list")
def list_(json: JsonOption = False) -> None:
    """List the tasks.

    Example:

      infinidoc tasks list
    """
    from infinidoc.manyshot.places import names
    from infinidoc.manyshot.task import Task

    found = []
    for name in names():
        with Task.open(name, create=False) as task:
            found.append(task.facts())
    if json:
        render.print_json({"tasks": found})
    elif not found:
        render.note("there are no tasks yet; make one with: infinidoc learn FILE --input COLUMN --output COLUMN")
    else:
        columns = ("name", "kind", "examples", "outputs", "kept", "model")
        rows = [
            (f["name"], f["kind"], f"{f['examples']:,}", f"{f['outputs']:,}", render.size(f["bytes"]), f["model"])
            for f in found
        ]
        render.print_table(columns, rows, numbers=("examples", "outputs", "kept"))


@app.command()
def show(
    name: Name,
    examples: Annotated[bool, typer.Option("--examples", help="Also every example, with its number.")] = False,
    json: JsonOption = False,
) -> None:
    """Show what a task holds, and what it was learnt with.

    Example:

      infinidoc tasks show intents
    """
    from infinidoc.manyshot.task import Task

    with Task.open(name, create=False) as task:
        facts, labels = task.facts(), task.store.outputs()
        listed = task.examples() if examples else []
    if facts["kind"] != "labels":
        labels = {}
    if json:
        plain = [{"id": one.id, "input": one.input, "output": one.output} for one in listed]
        render.print_json({**facts, "labels": labels, **({"example_list": plain} if examples else {})})
        return
    facts["bytes"] = render.size(facts["bytes"])
    render.print_facts({key.replace("_", " "): value for key, value in facts.items()})
    if labels:
        ordered = sorted(labels.items(), key=lambda item: -item[1])
        render.out.print()
        counted = [(label, f"{count:,}") for label, count in ordered[:SHOWN_OUTPUTS]]
        render.print_table(("label", "examples"), counted, numbers=("examples",))
        if len(ordered) > SHOWN_OUTPUTS:
            render.note(f"… and {len(ordered) - SHOWN_OUTPUTS} more; --json lists them all")
    if listed:
        render.out.print()
        rows = [(one.id, one.input, one.output) for one in listed]
        render.print_table(("number", "input", "output"), rows, numbers=("number",))


@app.command()
def remove(
    name: Name,
    example: Annotated[
        list[str], typer.Option("--example", "-e", help="Only this example: its whole text, or its number. Repeatable.")
    ] = [],  # noqa: B006
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Delete a task, or take single examples out of it: then it is as if they had never been learnt.

    Examples:

      infinidoc tasks remove intents --yes

      infinidoc tasks remove intents --example "Is it going to rain?"
    """
    from infinidoc.manyshot import places
    from infinidoc.manyshot.task import Task

    with Task.open(name, create=False) as task:
        count = task.store.count()
        if example:
            gone = {one.id: one for wanted in example for one in task.find(wanted)}
            task.remove(list(gone.values()))
            left = render.plural(count - len(gone), "example")
            render.out.print(f"removed {render.plural(len(gone), 'example')}; {name} has {left} left")
            return
    if not yes:
        render.confirm(f"Delete the task {name} ({count:,} examples)?")
    found = places.remove(name)
    render.out.print(f"removed {found}")
