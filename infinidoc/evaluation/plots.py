"""Results as PNG, with matplotlib, which the extra `bench` brings."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infinidoc.errors import InfinidocError
from infinidoc.evaluation.longcontext.lengths import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = Sequence[dict[str, Any]]


def draw(directory: Path, result: dict[str, Any]) -> Path:
    """Draws a result into DIRECTORY/BENCHMARK.png. Raises InfinidocError if matplotlib isn't installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InfinidocError("no plot without matplotlib", "pip install 'infinidoc[bench]'") from error
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    DRAWN[result["benchmark"]](axes, result["rows"])
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / f"{result['benchmark']}.png"
    figure.savefig(file, dpi=150)
    return file


def _passkey(axes: "Axes", rows: Rows) -> None:
    _accuracy(axes, rows, "depth", {0.0: "start", 0.5: "middle", 1.0: "end"}, "Passkey in repeated filler")


def _babi(axes: "Axes", rows: Rows) -> None:
    _accuracy(axes, rows, "task", {}, "bAbI in prose")


def _accuracy(axes: "Axes", rows: Rows, series: str, names: dict[Any, str], title: str) -> None:
    for value, slots in dict.fromkeys((row[series], row.get("slots")) for row in rows):
        found = [row for row in rows if (row[series], row.get("slots")) == (value, slots)]
        accuracies = [100 * row["accuracy"] for row in found]
        label = names.get(value, str(value)) + (f", {slots} slots" if slots else "")
        axes.plot([row["length"] for row in found], accuracies, marker="o", label=label)
    axes.set(ylabel="right answers, %", ylim=(-3, 103), title=f"{title}, from the compressive memory alone")
    _by_length(axes, rows)


def _needle(axes: "Axes", rows: Rows) -> None:
    lengths, depths = _values(rows, "length"), list(dict.fromkeys((row.get("slots"), row["depth"]) for row in rows))
    accuracy = {(row["length"], row.get("slots"), row["depth"]): 100 * row["accuracy"] for row in rows}
    grid = [[accuracy[length, *depth] for length in lengths] for depth in depths]
    image = axes.imshow(grid, vmin=0, vmax=100, cmap="viridis", aspect="auto")
    for y, line in enumerate(grid):
        for x, value in enumerate(line):
            axes.text(x, y, f"{value:.0f}", ha="center", va="center", color="white" if value < 60 else "black")
    axes.set_xticks(range(len(lengths)), [short(length) for length in lengths])
    axes.set_yticks(
        range(len(depths)), [f"{100 * depth:.0f} %{f', {slots} slots' if slots else ''}" for slots, depth in depths]
    )
    axes.set(
        xlabel="tokens of prose",
        ylabel="depth",
        title="A fact in prose, from the compressive memory alone: right answers, %",
    )
    axes.figure.colorbar(image, ax=axes)


def _perplexity(axes: "Axes", rows: Rows) -> None:
    _lines(axes, rows, "perplexity")
    axes.set(ylabel="perplexity", title="Long documents, segment by segment")
    _by_length(axes, rows, "tokens read before")


def _memory(axes: "Axes", rows: Rows) -> None:
    _lines(axes, rows, "bytes")
    axes.set_yscale("log")
    axes.set(ylabel="bytes kept", title="Memory of what was read")
    _by_length(axes, rows)


def _whole(axes: "Axes", rows: Rows) -> None:
    sets, systems = _values(rows, "set"), _values(rows, "system")
    width = 0.8 / len(systems)
    for number, system in enumerate(systems):
        found = [row for row in rows if row["system"] == system]
        places = [place + number * width for place in range(len(sets))]
        values = [row["rouge_l"] for row in found]
        spread = [[abs(row["rouge_l_interval"][side] - row["rouge_l"]) for row in found] for side in (0, 1)]
        axes.bar(places, values, width, yerr=spread, capsize=2, label=system)
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(sets))], sets)
    axes.set(ylabel="ROUGE-L", title="Questions about whole documents")
    axes.legend(fontsize="small")


def _lines(axes: "Axes", rows: Rows, value: str) -> None:
    for system in _values(rows, "system"):
        found = [row for row in rows if row["system"] == system]
        axes.plot([row["length"] for row in found], [row[value] for row in found], marker="o", label=system)


def _by_length(axes: "Axes", rows: Rows, label: str = "tokens") -> None:
    lengths = _values(rows, "length")
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [short(length) for length in lengths])
    axes.minorticks_off()
    axes.set_xlabel(label)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def _values(rows: Rows, column: str) -> list[Any]:
    """The values in a column, each once, in order."""
    return list(dict.fromkeys(row[column] for row in rows))


DRAWN: dict[str, Callable[["Axes", Rows], None]] = {
    "passkey": _passkey,
    "needle": _needle,
    "babi": _babi,
    "perplexity": _perplexity,
    "memory": _memory,
    "whole": _whole,
}
