"""`infinidoc watch`."""

import signal
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from infinidoc.cli import render
from infinidoc.cli.ingest import advance, print_summary
from infinidoc.cli.loading import loaded
from infinidoc.cli.options import CollectionOption, JsonOption
from infinidoc.cli.progress import Show, progress

if TYPE_CHECKING:
    from infinidoc.reading.changes import Change
    from infinidoc.reading.collection import Collection
    from infinidoc.reading.summary import IngestProgress
    from infinidoc.reading.watching import Step

SHOWN_CHANGES = 20  # of those that come at once


def watch(
    paths: Annotated[list[str], typer.Argument(help="Files, directories, globs.")],
    collection: CollectionOption = None,
    include: Annotated[list[str], typer.Option(help="Only files that match this gitignore pattern. Repeatable.")] = [],  # noqa: B006
    exclude: Annotated[list[str], typer.Option(help="No files that match this gitignore pattern. Repeatable.")] = [],  # noqa: B006
    json: JsonOption = False,
) -> None:
    """Keep a collection in step with files and directories, until Ctrl-C.

    Begins like ingest --sync. Then what is saved is read within seconds, what is moved keeps its addresses,
    and what is deleted goes; a line says so. Files that are still being written are waited for. A path that is not
    there, such as a drive that isn't mounted, keeps its documents. On network drives, what other machines change is
    seen within half a minute.

    Needs infinidoc[watch]. A collection that isn't there yet is made; infinidoc ingest makes one of another model.

    Examples:

      infinidoc watch ./docs
      infinidoc watch --collection notes ~/notes ~/mail --exclude 'drafts/'
      infinidoc watch ./docs --json >> changes.jsonl
    """
    from infinidoc.reading.collection import Collection
    from infinidoc.reading.watching import Notice, Watcher

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    started = False
    with Collection.open(collection) as target, ExitStack() as bar:
        show: Show | None = None

        def notify(reached: "IngestProgress") -> None:
            nonlocal show
            show = show or bar.enter_context(progress())
            advance(show, reached)
            if 0 < reached.to_remember <= reached.remembered:
                bar.close()
                show = None

        watcher = Watcher(target, paths, include, exclude, notify=notify)
        try:
            watcher.check()
            loaded(target, to_write=True)
            for step in watcher.run():
                bar.close()
                show = None
                if isinstance(step, Notice):
                    print_notice(step.what, step.text, json)
                    continue
                print_step(step, target, json, is_start=not started)
                started = True
        except KeyboardInterrupt:
            bar.close()
            render.note("stopped: the same command goes on from there")


def print_notice(what: str, text: str, json: bool) -> None:
    if json:
        render.print_json({"what": what, "text": text})
    else:
        render.note(text)


def print_step(step: "Step", target: "Collection", json: bool, is_start: bool) -> None:
    """The start as ingest tells of it, and a line for each change from then on."""
    if json:
        if is_start:
            render.print_json({"what": "started", **asdict(step.summary)})
        else:
            for change in step.changes:
                render.print_json(asdict(change))
    elif is_start:
        print_summary(step.summary, target)
        render.note("watching; Ctrl-C to end")
    else:
        for change in step.changes[:SHOWN_CHANGES]:
            render.out.print(in_words(change))
        rest = Counter(change.what for change in step.changes[SHOWN_CHANGES:])
        if rest:
            render.out.print("… and " + ", ".join(f"{count:,} more {what}" for what, count in rest.items()))


def in_words(change: "Change") -> str:
    from infinidoc.reading.answers import display

    match change.what:
        case "moved":
            return f"moved {display(change.was)} to {display(change.path)}"
        case "copied":
            return f"read {display(change.path)}, a copy of {display(change.was)}"
        case "skipped":
            return f"skipped {display(change.path)}: {change.reason}"
        case "noted":
            return f"{display(change.path)}: {change.reason}"
        case what:
            return f"{what} {display(change.path)}"
