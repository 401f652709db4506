"""The one progress bar of all commands: on stderr, on a terminal only, gone when it is done."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from infinidoc.cli.render import err, printable


class Show(Protocol):
    """`what` is done, `done` of `total` so far (None: nobody knows); `count` `unit`s went by, `name` is at hand."""

    def __call__(
        self, what: str, done: float, total: float | None, count: int = 0, unit: str = "", name: str = ""
    ) -> None: ...


@contextmanager
def progress() -> Iterator[Show]:
    """Yields what moves the bar. What starts over, or moves on without counting, tells nothing about speed."""
    if not sys.stderr.isatty():
        yield lambda *_, **__: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[speed]}", "cyan", markup=False, table_column=Column(no_wrap=True)),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn(
            "{task.fields[name]}", "dim", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
        ),
    )
    with Progress(*columns, console=err.console, transient=True, redirect_stdout=False) as bars:
        task = bars.add_task("", total=None, speed="", name="")
        counted_from = time.monotonic()

        def show(what: str, done: float, total: float | None, count: int = 0, unit: str = "", name: str = "") -> None:
            nonlocal counted_from
            if done < bars.tasks[0].completed or (unit and not count):
                bars.reset(task)
                counted_from = time.monotonic()
            seconds = time.monotonic() - counted_from
            speed = f"{count:,} {unit}" if count else ""
            if count and seconds > 1:
                rate = count / seconds
                speed += f"  {rate:,.{0 if rate >= 10 else 1}f} {unit}/s"
            bars.update(
                task, description=printable(what), completed=done, total=total, speed=speed, name=printable(name)
            )

        yield show
