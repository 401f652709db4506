"""Measurements into ratios, a table and plots."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
FP32, NO_MEMORY = "infinidoc_fp32", "_no_memory"
MEDIANS = ("tokens_per_second", "peak_bytes", "start_seconds", "first_token_seconds", "answer_seconds")


def summarise(measured: Sequence[Row]) -> dict[str, Any]:
    """Medians per system and length, and `ratios`: ours over theirs, above 1 is faster, each the median over rounds of
    what was measured in the same round; None for what wasn't measured. `ratios_of` says which systems were compared."""
    rows = []
    for key in dict.fromkeys((row["length"], row["system"]) for row in measured):
        found = [row for row in measured if (row["length"], row["system"]) == key]
        row: Row = {"length": key[0], "system": key[1], "rounds": len(found), "kept": found[-1]["kept"]}
        for name in MEDIANS:
            values = [one[name] for one in found if one[name] is not None]
            row[name] = statistics.median(values) if values else None
        speeds = [one["tokens_per_second"] for one in found]
        row |= {"slowest": min(speeds), "fastest": max(speeds)}
        rows.append(row)
    rows.sort(key=lambda row: row["length"])
    compared = _compared(rows)
    ratios = {name: _ratio(measured, *pair) if pair else None for name, pair in compared.items()}
    return {"ratios": ratios, "ratios_of": compared, "rows": rows}


def _compared(rows: Sequence[Row]) -> dict[str, tuple[tuple[str, int], tuple[str, int]] | None]:
    """What each ratio is of: (system, length) of ours and of theirs."""
    shortest = min(row["length"] for row in rows)
    at = {(row["system"], row["length"]): row["tokens_per_second"] for row in rows}
    speeds = {system: speed for (system, length), speed in at.items() if length == shortest}

    def fastest(start: str) -> str:
        names = [name for name in speeds if name.startswith(start) and not name.endswith(NO_MEMORY)]
        return max(names, key=speeds.__getitem__, default="")

    def pair(ours: str, theirs: str) -> tuple[tuple[str, int], tuple[str, int]] | None:
        return ((ours, shortest), (theirs, shortest)) if ours in speeds and theirs in speeds else None

    # int8, or what there is in its place
    small = next((f"infinidoc_{name}" for name in ("int8", "bf16") if f"infinidoc_{name}" in speeds), "")
    long, short = 1_000_000, 10_000
    flat = next((system for system, length in at if length == long and (system, short) in at), None)
    return {
        "transformers_2k_fp32": pair(FP32, "transformers_2k_fp32"),
        "transformers_2k_int8": pair(small, "transformers_2k_fp32"),
        "llama_cpp": pair(fastest("infinidoc_"), fastest("llama_cpp_")),
        "length_1m_over_10k": ((flat, long), (flat, short)) if flat else None,
    }


def _ratio(measured: Sequence[Row], ours: tuple[str, int], theirs: tuple[str, int]) -> float:
    def by_round(key: tuple[str, int]) -> dict[int, float]:
        return {r["round"]: r["tokens_per_second"] for r in measured if (r["system"], r["length"]) == key}

    mine, others = by_round(ours), by_round(theirs)
    if ours[0] == theirs[0]:  # a long text was measured once, between two rounds of the short one
        return statistics.median(mine.values()) / statistics.median(others.values())
    return statistics.median(mine[number] / others[number] for number in mine.keys() & others.keys())


def markdown(result: dict[str, Any]) -> str:
    """The tables, for people."""
    lines = ["# Ingest, side by side", "", f"`{result['command']}`", "", _machine(result), ""]
    for length in dict.fromkeys(row["length"] for row in result["rows"]):
        lines += [f"## {length:,} tokens", ""]
        lines += ["| system | tokens/s | slowest to fastest | peak memory | kept per token | and in all cases |"]
        lines[-1] += " start | first token | whole answer |"
        lines += ["| --- |" + " ---: |" * 8]
        for row in result["rows"]:
            if row["length"] == length:
                lines.append("| " + " | ".join(_cells(row)) + " |")
        lines.append("")
    lines += ["## Ratios: ours over theirs, above 1 is faster", "", "| | ratio | of |", "| --- | ---: | --- |"]
    for name, value in result["ratios"].items():
        pair = result["ratios_of"][name]
        of = " over ".join(f"{system} at {length:,}" for system, length in pair) if pair else ""
        lines.append(f"| `{name}` | {'not measured' if value is None else f'{value:.2f}'} | {of} |")
    lines += [
        "",
        "A first token and a whole answer: seconds from the question, medians, the model warm; at most 32 tokens.",
    ]
    lines += ["infinidoc and RAG find passages first and read them, or say that nothing bears on the question (those"]
    lines += ["don't count); full attention is asked about its last window, whose keys and values it still has."]
    lines += ["", *(f"{system} is missing: {reason}" for system, reason in result["left_out"].items())]
    return "\n".join(lines).rstrip() + "\n"


def _machine(result: dict[str, Any]) -> str:
    machine = result["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items() if number)
    return (
        f"{machine.get('processor', 'unknown processor')}, {machine['cpus']} CPUs "
        f"({', '.join(machine.get('instructions', []))}), {result['threads']} threads; {versions}"
    )


def _cells(row: Row) -> list[str]:
    def seconds(value: float | None) -> str:
        return "" if value is None else f"{value:.2f} s"

    constant = row["kept"]["constant"]
    return [
        row["system"],
        f"{row['tokens_per_second']:,.0f}",
        f"{row['slowest']:,.0f} to {row['fastest']:,.0f}" if row["rounds"] > 1 else "",
        f"{row['peak_bytes'] / 1e6:,.0f} MB",
        f"{row['kept']['per_token']:,.0f} B",
        f"{constant / 1e6:.1f} MB" if constant else "",
        seconds(row["start_seconds"]),
        seconds(row["first_token_seconds"]),
        seconds(row["answer_seconds"]),
    ]


def draw(file: Path, result: dict[str, Any]) -> None:
    """Tokens/s of all systems at the shortest length; tokens/s and peak memory against length."""
    from matplotlib.figure import Figure

    rows = result["rows"]
    lengths = sorted({row["length"] for row in rows})
    figure = Figure(figsize=(13, 4.5), layout="constrained")
    bars, speed, memory = figure.subplots(1, 3)
    short = sorted((row for row in rows if row["length"] == lengths[0]), key=lambda row: row["tokens_per_second"])
    short = [row for row in short if row["system"] != "rag_bm25"]  # counts words: orders of magnitude off the scale
    colours = ["tab:blue" if row["system"].startswith("infinidoc") else "lightgrey" for row in short]
    drawn = bars.barh([row["system"] for row in short], [row["tokens_per_second"] for row in short], color=colours)
    bars.bar_label(drawn, fmt="{:,.0f}", padding=2, fontsize="small")
    bars.margins(x=0.2)
    bars.set(title=f"tokens/s, {lengths[0]:,} tokens")
    against: list[tuple[Any, str, Callable[[Row], float]]] = [
        (speed, "tokens/s", lambda row: row["tokens_per_second"]),
        (memory, "peak memory, MB", lambda row: row["peak_bytes"] / 1e6),
    ]
    for axes, title, value in against:
        for system in dict.fromkeys(row["system"] for row in rows if row["length"] == lengths[-1]):
            found = [row for row in rows if row["system"] == system]
            axes.plot([row["length"] for row in found], [value(row) for row in found], marker="o", label=system)
        axes.set(xscale="log", xlabel="tokens", title=title)
        axes.grid(alpha=0.3)
    speed.set_yscale("log")
    memory.set_ylim(bottom=0)
    memory.legend(fontsize="small")
    figure.savefig(file, dpi=110)
