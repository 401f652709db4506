"""The command line. Every module here parses, calls the library, and prints; `main` turns errors into one line."""

import atexit
import gc
import io
import os
import sqlite3
import sys
from typing import Any

import typer

from infinidoc.cli.help import tidy
from infinidoc.errors import InfinidocError

atexit.register(gc.freeze)  # looking through millions of objects once more before they go would take a second

# Click's base class of what is wrong with a command line; newer versions of Typer bring their own Click along.
ClickException: Any = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="infinidoc",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Reads whole document collections into the memory of a language model, and answers questions about them, "
    "with sources.\n\nStart with:  infinidoc ingest ./docs  and then  "
    'infinidoc ask "What is …?"',
)

# Imported after `app`, so that help lists commands in the order in which people need them.
from infinidoc.cli import (  # noqa: E402
    adapters,
    ask,
    bench,
    bench_manyshot,
    bench_questions,
    bench_whole,
    chat,
    collections,
    compare,
    documents,
    ingest,
    learn,
    log,
    mcp,
    models,
    predict,
    readers,
    render,
    search,
    serve,
    summarize,
    tasks,
    train,
    warm,
    watch,
)

app.command("ingest")(ingest.ingest)
app.command("watch")(watch.watch)
app.command("ask")(ask.ask)
app.command("summarize")(summarize.summarize)
app.command("search")(search.search)
app.command("chat")(chat.chat)
app.command("log")(log.log)
app.command("serve")(serve.serve)
app.command("mcp")(mcp.mcp)
app.command("learn")(learn.learn)
app.command("predict")(predict.predict)
app.command("compare")(compare.compare)
app.add_typer(warm.app, name="warm")
app.add_typer(collections.app, name="collections")
app.add_typer(documents.app, name="documents")
app.add_typer(models.app, name="models")
app.add_typer(adapters.app, name="adapters")
app.add_typer(readers.app, name="readers")
app.add_typer(tasks.app, name="tasks")
app.add_typer(train.app, name="train")
bench.app.command("manyshot")(bench_manyshot.manyshot)
bench.app.command("questions")(bench_questions.questions)
bench.app.command("whole")(bench_whole.whole)
app.add_typer(bench.app, name="bench")


@app.callback(invoke_without_command=True)
def _options(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    if version:
        from importlib.metadata import version as installed

        render.out.print(installed("infinidoc"))
        raise typer.Exit


def main() -> None:
    """The `infinidoc` command: errors that a person can mend become one line on stderr; exit code 1, or 2 for usage."""
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)  # no letter may end a command, whatever the terminal can show
    command = typer.main.get_command(app)
    if not {"--help", "-h"}.isdisjoint(sys.argv):
        tidy(command)
    try:
        code = command(prog_name="infinidoc", standalone_mode=False)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left unsaid would complain at the end
        code = 1
    except ClickException as error:
        code = usage(error)
    except typer.Abort:
        code = _fail("nothing was done")
    except InfinidocError as error:
        code = _fail(str(error))
    except sqlite3.Error as error:
        code = _fail(f"the collection's manifest can't be used: {error}")
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        code = _fail(f"{where}{error.strerror or error}")
    sys.exit(code)


def usage(error: Any) -> int:
    """What is wrong with a command line, in one line."""
    if type(error).__name__ == "NoArgsIsHelpError":  # a group without a command
        error.show()
        return 2
    context = getattr(error, "ctx", None)
    hint = f": see {context.command_path} --help" if context else ""
    render.error(" ".join(error.format_message().split()).rstrip(".") + hint)
    return 2


def _fail(message: str) -> int:
    render.error(message)
    return 1
