"""`infinidoc ingest`."""

import os
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from infinidoc.cli import render
from infinidoc.cli.loading import loaded
from infinidoc.cli.options import AdapterOption, CollectionOption, JsonOption, ModelOption
from infinidoc.cli.progress import Show, progress
from infinidoc.errors import INTERRUPTED

if TYPE_CHECKING:
    from infinidoc.reading.collection import Collection
    from infinidoc.reading.summary import IngestProgress, Summary

SHOWN_UNREAD = 20


def ingest(
    paths: Annotated[list[str], typer.Argument(help="Files, directories, globs; - is standard input.")],
    collection: CollectionOption = None,
    include: Annotated[list[str], typer.Option(help="Only files that match this gitignore pattern. Repeatable.")] = [],  # noqa: B006
    exclude: Annotated[list[str], typer.Option(help="No files that match this gitignore pattern. Repeatable.")] = [],  # noqa: B006
    sync: Annotated[bool, typer.Option("--sync", help="Also drop documents whose files are gone from PATHS.")] = False,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    precision: Annotated[
        Literal["fp32", "bf16", "int8"] | None,
        typer.Option(
            help="What a new collection's documents are read in; default: INFINIDOC_PRECISION, or "
            "the faster of fp32 and bf16, which is measured once on each machine (see infinidoc models show). "
            "int8 is faster still, rounds more, and needs a processor with VNNI."
        ),
    ] = None,
    memory: Annotated[
        bool,
        typer.Option(
            "--memory/--no-memory",
            help="Whether a new collection also has a compressive memory, which ask --memory-only answers from. "
            "Reading then takes several times as long; recall and answers with sources stay as they are.",
        ),
    ] = False,
    small_addresses: Annotated[
        bool,
        typer.Option(
            "--small-addresses",
            help="Have a new collection keep 16 bytes a token to find passages by, rather than 128: questions in other "
            "words than the text's find their passage first a little less often.",
        ),
    ] = False,
    engine: Annotated[
        Literal["here", "ray"],
        typer.Option(help="Where the model runs: here, or on a Ray cluster (ray; see below)."),
    ] = "here",
    json: JsonOption = False,
) -> None:
    """Read documents into a collection.

    Text, Markdown, reStructuredText, HTML, PDF, Word, RTF, PowerPoint, Excel, CSV, EPUB, mail, JSON, notebooks and
    source code. Unchanged files are passed over and changed ones replaced, so run it again whenever you like.

    With --memory, in two passes: after the first one questions can be asked; the second one, which takes longer, fills
    the compressive memory. Interrupt it whenever you like: the next ingest goes on from there.

    Examples:

      infinidoc ingest ./docs
      infinidoc ingest --collection manuals 'manuals/**/*.pdf' notes.md
      infinidoc ingest . --exclude 'drafts/' --sync
      git log | infinidoc ingest -
      infinidoc ingest --collection whole --memory ./docs
      infinidoc ingest --engine ray ./archive

    With --engine ray, groups of documents are read side by side, with the same result: on the cluster that
    RAY_ADDRESS names, else on one that runs here, else on this machine's processors.
    """
    from infinidoc.reading import approximate
    from infinidoc.reading.collection import Collection
    from infinidoc.reading.summary import Stopped

    with Collection.open(
        collection, model, adapter=adapter, precision=precision, memory=memory, small_addresses=small_addresses
    ) as target:
        target.discover(paths, include, exclude, sync)  # complains of paths before seconds go into loading the model
        loaded(target, to_write=True)
        with progress() as show:
            interrupted = False
            try:
                summary = target.ingest(paths, include, exclude, sync, partial(advance, show), engine)
            except Stopped as stopped:
                summary, interrupted = stopped.summary, True
        if json:
            render.print_json(asdict(summary))
        else:
            print_summary(summary, target)
        if interrupted:
            parts = "".join(f", and {100 * share:.0f} % of {name}" for name, share in summary.partial.items())
            if summary.ready_seconds:
                render.note("interrupted: everything can be asked about; the next ingest goes on with the memory")
            elif summary.collection["tokens"]:
                render.note(f"interrupted: this much is kept{parts}; the same command goes on from there")
            else:
                render.note("interrupted before anything could be kept: the same command begins again")
            raise typer.Exit(INTERRUPTED)
        if not json and approximate.is_missed(target.store):
            render.note("questions find faster with an index: pip install 'infinidoc[index]', ingest again")
    if is_unread(paths, summary):
        raise typer.Exit(1)


def advance(show: Show, reached: "IngestProgress") -> None:
    """Moves the progress bar to where an ingest is."""
    if reached.to_remember:
        done, total = reached.remembered, reached.to_remember
        show("memory", done, total, done, "tokens", "questions can be asked meanwhile")
        return
    name = reached.name.rsplit("/", 1)[-1]
    files = f"{reached.files_done}/{reached.files} files"
    show(files, reached.bytes_done, max(reached.bytes_total, 1), reached.tokens, "tokens", name)


def is_unread(paths: list[str], summary: "Summary") -> bool:
    """Whether one of the paths themselves, rather than something below them, can't be read."""
    given = {os.path.abspath(os.path.expanduser(path)) for path in paths}
    skipped = [skipped.name for skipped in summary.skipped]
    return any(os.path.abspath(name) in given or ("-" in paths and name == "stdin") for name in skipped)


def print_summary(summary: "Summary", target: "Collection") -> None:
    changes = {
        "added": summary.added,
        "identical to others": summary.copies,
        "replaced": summary.replaced,
        "removed": summary.removed,
        "unchanged": summary.unchanged,
        "in part": len(summary.partial),
        "skipped": len(summary.skipped),
    }
    done = ", ".join(f"{count:,} {what}" for what, count in changes.items() if count) or "none"
    holds, ready = summary.collection, summary.ready_seconds or summary.seconds
    read = f"{render.plural(summary.tokens, 'token')}, {render.plural(summary.pages, 'page')}"
    remembered = f"{render.plural(summary.remembered, 'token')}{_in(summary.seconds - ready, summary.remembered)}"
    if holds["memory_tokens"] < holds["tokens"]:
        remembered += f"; {holds['memory_tokens']:,} of {holds['tokens']:,} so far"
    has_memory = target.store.identity.remembers
    state = f"{render.size(holds['state_bytes'])} compressive state, " if has_memory else ""
    where = f"{render.plural(holds['documents'], 'document')}, {holds['tokens']:,} tokens in {target.directory}"
    render.print_facts(
        {
            "documents": done,
            "read": f"{read}{_in(ready, summary.tokens)}",
            **({"remembered": remembered} if has_memory else {}),
            "collection": where,
            "kept": f"{state}{render.size(holds['address_bytes'])} addresses, {render.size(holds['text_bytes'])} text",
        }
    )
    unread = [f"{noted.name}: {noted.note}" for noted in summary.notes]
    unread += [f"skipped {skipped.name}: {skipped.reason}" for skipped in summary.skipped]
    for line in unread[:SHOWN_UNREAD]:
        render.err.print(line, style="yellow")
    if len(unread) > SHOWN_UNREAD:
        render.note(f"… and {len(unread) - SHOWN_UNREAD} more; --json lists them all")


def _in(seconds: float, tokens: int) -> str:
    return f" in {seconds:.1f} s" + (f" ({tokens / seconds:,.0f} tokens/s)" if tokens and seconds else "")
