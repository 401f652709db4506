"""A comparison as pictures and as one HTML file that needs nothing beside it."""

import base64
import io
import os
from collections.abc import Callable, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infinidoc.errors import InfinidocError
from infinidoc.files import write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REPORT = "report.html"
COLOURS = {
    "memory": "#7aa7f0",
    "memory+recall": "#2f6fde",
    "rag-bm25": "#c2571a",
    "rag-dense": "#e07b39",
    "rag-hybrid": "#f0a066",
    "full-context": "#6e7781",
    "no-context": "#a5adb5",
    "whole": "#1b4f9c",
    "truncated": "#8b949e",
}
LIGHT, DARK = "#1f2328", "#e6edf3"  # what is written, on white and on black
QUALITY = {"em": "exact match, %", "f1": "F1, %", "contains": "answer contained, %"}
SOURCES = {"source_at_1": "right source in first place", "source_at_5": "right source in the first five"}
COSTS = {
    "seconds_per_question": "seconds per question",
    "ingest_seconds": "seconds to read the documents",
    "bytes_kept": "megabytes kept",
    "peak_memory_answering": "peak memory while answering, MB",
}

Row = dict[str, Any]


def require() -> None:
    """Raises InfinidocError, before anything is computed, if what draws and writes the report isn't installed."""
    for name in ("jinja2", "matplotlib"):
        if find_spec(name) is None:
            raise InfinidocError(f"no report without {name}", "pip install 'infinidoc[rag]'")


def write_report(result: dict[str, Any], out: Path) -> Path:
    """Draws OUT/quality.png, sources.png and costs.png, and writes OUT/report.html; returns the report's path."""
    import jinja2

    pictures = {}
    for name, (draw, alt) in PICTURES.items():
        if (figure := draw(result["systems"], LIGHT)) is None:
            continue
        write(out / f"{name}.png", png(figure, "white"))
        dark = draw(result["systems"], DARK)
        assert dark is not None
        pictures[name] = {"light": uri(png(figure)), "dark": uri(png(dark)), "alt": alt}
    template = files(__package__).joinpath("report.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"size": size, "number": number, "path": relative}
    page = environment.from_string(template).render(result=result, pictures=pictures, colours=COLOURS)
    file = out / REPORT
    write(file, page)
    return file


def number(value: float | None, digits: int = 1) -> str:
    return "n/a" if value is None else f"{value:,.{digits}f}"


def size(count: float | None) -> str:
    """Bytes for people, in megabytes, so that a column can be compared."""
    return "n/a" if count is None else f"{count / 1e6:,.1f} MB"


def relative(path: str) -> str:
    """A path as seen from here, if it lies below."""
    inside = os.path.relpath(path)
    return path if inside.startswith(os.pardir) else inside


def uri(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def png(figure: "Figure", background: str = "none") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, facecolor=background)
    return buffer.getvalue()


def quality(rows: Sequence[Row], ink: str) -> "Figure | None":
    return panels(rows, QUALITY, ink, dict.fromkeys(QUALITY, 100.0))


def sources(rows: Sequence[Row], ink: str) -> "Figure | None":
    return panels(rows, SOURCES, ink, dict.fromkeys(SOURCES, 1.0))


def costs(rows: Sequence[Row], ink: str) -> "Figure | None":
    sized = ("bytes_kept", "peak_memory_answering")
    scaled = [row | {name: row[name] / 1e6 for name in sized if row[name] is not None} for row in rows]
    return panels(scaled, COSTS, ink, {}, columns=2)


def panels(
    rows: Sequence[Row], measures: dict[str, str], ink: str, limits: dict[str, float], columns: int = 0
) -> "Figure | None":
    """A bar per system in a panel per measure, with its interval where it has one; None if there is nothing to show.

    Systems that a measure doesn't apply to have no bar. Panels that aren't in `limits` end freely.
    """
    from matplotlib.figure import Figure

    measures = {name: title for name, title in measures.items() if any(row[name] is not None for row in rows)}
    if not measures:
        return None
    shown = [row for row in rows if any(row[name] is not None for name in measures)][::-1]
    across = columns or len(measures)
    down = -(-len(measures) // across)
    figure = Figure(figsize=(3.6 * across + 1.2, (0.42 * len(shown) + 0.9) * down), layout="constrained")
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    for axes in grid.flat[len(measures) :]:
        axes.set_visible(False)
    for axes, (name, title) in zip(grid.flat, measures.items(), strict=False):
        for place, row in enumerate(shown):
            if (value := row[name]) is None:
                continue
            axes.barh(place, value, height=0.68, color=COLOURS[row["name"]])
            low, high = row["intervals"].get(name, (value, value))
            if high > low:
                axes.plot([low, high], [place, place], color=ink, linewidth=1.2, solid_capstyle="butt")
            digits = {1.0: 3, 100.0: 1}.get(limits.get(name, 0.0), 0 if value >= 100 else 1 if value >= 10 else 2)
            axes.annotate(
                f"{value:,.{digits}f}", (max(value, high), place), (4, 0), textcoords="offset points", va="center",
                color=ink, fontsize=8,
            )  # fmt: skip
        axes.set_yticks(range(len(shown)), [row["name"] for row in shown])
        axes.set_title(title, fontsize=10, color=ink, loc="left")
        axes.set_xlim(0, limits[name] * 1.12 if name in limits else axes.get_xlim()[1] * 1.12)
        axes.tick_params(colors=ink, labelsize=8.5, length=0)
        axes.set_facecolor("none")
        axes.grid(axis="x", color=ink, alpha=0.12)
        axes.set_axisbelow(True)
        for side in axes.spines.values():
            side.set_visible(False)
    return figure


PICTURES: dict[str, tuple[Callable[[Sequence[Row], str], "Figure | None"], str]] = {
    "quality": (quality, "Exact match, F1 and answer contained, per system, with 95 % intervals"),
    "sources": (sources, "How often the right source came first, and among the first five, with 95 % intervals"),
    "costs": (costs, "Seconds per question, seconds to read the documents, megabytes kept, peak memory"),
}
