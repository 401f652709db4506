"""`infinidoc compare`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infinidoc.cli import render
from infinidoc.cli.options import LARGEST_SEED, JsonOption, ModelOption
from infinidoc.cli.progress import progress
from infinidoc.errors import InfinidocError

if TYPE_CHECKING:
    from infinidoc.evaluation.contest.compare import Step
    from infinidoc.evaluation.questions import QuestionFile

SHOWN_FAILURES = 3
SHOWN_CHARACTERS = 160


def compare(
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="The documents. Without any, those that a SQuAD file brings along.", show_default=False),
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            "--questions",
            "-q",
            help="SQuAD JSON, JSON Lines, CSV or TSV (question, answers, source), or text with a question per line; "
            "- or nothing: lines of standard input.",
        ),
    ] = None,
    rag: Annotated[bool, typer.Option("--rag", help="Also RAG: BM25, dense, and both fused (infinidoc[rag]).")] = False,
    systems: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Only these, with commas: memory+recall,rag-hybrid.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only so many of the questions, at random.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="For that choice, and for the intervals.")] = 0,
    embedder: Annotated[
        str | None,
        typer.Option(help="Another embedding model for RAG: a sentence-transformers directory or hub id."),
    ] = None,
    model: ModelOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where results, report and pictures go.")] = Path(
        "comparison"
    ),
    json: JsonOption = False,
) -> None:
    """Compare infinidoc with RAG, with everything in the window, and with nothing, on your documents and questions.

    Every system has the same reader, prompt and budget of passage tokens. What was answered stays in OUT: interrupt it
    whenever you like, and run the same command again to go on.

    Examples:

      infinidoc compare --rag --questions dev-v1.1.json --limit 100
      infinidoc compare --rag --questions questions.jsonl ./docs
      infinidoc compare --rag --questions questions.txt ./docs --systems memory+recall,rag-hybrid
      infinidoc compare --questions about-the-whole.jsonl report.pdf --systems whole,truncated,memory+recall
      echo "When is the boiler serviced?" | infinidoc compare --rag ./docs
    """
    chosen = choose(systems, rag)
    run(lambda: gather(questions), paths or [], chosen, limit, seed, embedder, model, out, json)


def run(
    questions: "Callable[[], QuestionFile]",
    paths: list[str],
    systems: list[str],
    limit: int | None,
    seed: int,
    embedder: str | None,
    model: str | None,
    out: Path,
    json: bool,
) -> None:
    """The contest, its report, and what is printed of both."""
    from infinidoc.baselines.retrieval import MINILM
    from infinidoc.baselines.retrieval import require as require_rag
    from infinidoc.cli.models import fetch
    from infinidoc.documents.discovery import discover
    from infinidoc.evaluation.contest import compare as comparison
    from infinidoc.evaluation.contest import report

    report.require()
    if any(name.startswith("rag-") for name in systems):
        require_rag()
    file = questions()
    discover(paths)  # complains of paths before a model is fetched
    fetch(model)
    plan = comparison.plan(out, file, paths, systems, limit, seed, model, embedder or MINILM)
    with progress() as show:

        def notify(step: "Step") -> None:
            doing = "reading documents" if step.stage == "ingest" else "answering"
            show(f"{step.system}: {doing}", step.done, step.total or None, name=step.name)

        result = comparison.run(plan, notify)
        page = report.write_report(result, out)
    if json:
        render.print_json(result)
    else:
        print_result(result)
        render.print_facts({"report": page, "results": out / comparison.RESULT})


def choose(systems: str | None, rag: bool) -> list[str]:
    """The systems to run, in their usual order."""
    from infinidoc.evaluation.contest.jobs import LONG, NAMES, RAG

    if systems is None:
        return [name for name in NAMES if name not in LONG and (rag or name not in RAG)]
    wanted = {name.strip() for name in systems.split(",") if name.strip()}
    if not wanted or not wanted <= set(NAMES):
        unknown = ", ".join(sorted(wanted - set(NAMES))) or "nothing"
        raise InfinidocError(f"no system is called {unknown}", f"choose from {', '.join(NAMES)}")
    return [name for name in NAMES if name in wanted]


def gather(questions: Path | None) -> "QuestionFile":
    from infinidoc.evaluation.questions import read_questions

    if questions is None and sys.stdin.isatty():
        raise InfinidocError("no questions", "give a file (--questions FILE), or pipe one question per line")
    return read_questions(None if str(questions or "-") == "-" else questions)


def print_result(result: dict[str, Any]) -> None:
    print_quality(result["systems"])
    render.out.print()
    print_costs(result["systems"])
    render.out.print()
    for row in result["systems"]:
        if row["unfit"] or row["note"]:
            render.note(f"{row['name']}: {row['unfit'] or row['note']}")
    for pair in result["pairs"]:
        if pair["measure"] in ("f1", "source_at_1"):
            low, high = pair["interval"]
            digits = 1 if pair["measure"] == "f1" else 3
            counts = f"{pair['wins']} won, {pair['losses']} lost, {pair['ties']} tied"
            ahead = f"{pair['difference']:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f}), p = {pair['p']:.2g}"
            what = "F1" if pair["measure"] == "f1" else "right source first"
            render.out.print(f"{what}, {pair['first']} against {pair['second']}: {counts}; {ahead}")
    render.out.write(f"\n{result['verdict']}\n\n", style="bold")
    for failure in result.get("failures", [])[:SHOWN_FAILURES]:
        print_side_by_side(failure, f"  (right: {' / '.join(failure['answers'])})")
    for asked in result.get("answers", []):
        print_side_by_side(asked, "")


def print_quality(rows: list[dict[str, Any]]) -> None:
    """Every figure with half the width of its interval."""

    def cell(row: dict[str, Any], measure: str, digits: int) -> str:
        if row[measure] is None:
            return "n/a"
        low, high = row["intervals"][measure]
        return f"{row[measure]:.{digits}f} ±{(high - low) / 2:.{digits}f}"

    columns = ("system", "exact match", "F1", "contained", "source first", "in first five", "n")
    measures = (("em", 1), ("f1", 1), ("contains", 1), ("source_at_1", 3), ("source_at_5", 3))
    lines = [(row["name"], *(cell(row, *measure) for measure in measures), row["n"]) for row in rows]
    render.print_table(columns, lines, columns[1:])


def print_costs(rows: list[dict[str, Any]]) -> None:
    def cell(value: float | None, text: Callable[[float], str]) -> str:
        return "n/a" if value is None else text(value)

    lines = [
        (
            row["name"],
            cell(row["ingest_seconds"], "{:,.1f} s".format),
            cell(row["ingest_tokens_per_second"], "{:,.0f}".format),
            cell(row["first_token_seconds"], "{:.2f} s".format),
            cell(row["seconds_per_question"], "{:.2f} s".format),
            render.size(row["bytes_kept"]),
            cell(row["peak_memory_ingest"], render.size),
            cell(row["peak_memory_answering"], render.size),
        )
        for row in rows
    ]
    columns = ("system", "ingest", "tokens/s", "first token", "a question", "kept", "peak ingest", "peak answer")
    render.print_table(columns, lines, columns[1:])


def print_side_by_side(asked: dict[str, Any], right: str) -> None:
    render.out.print(f"{asked['question']}{right}", style="bold")
    for name, given in asked["systems"].items():
        render.out.print(f"  {name:<14}", style="cyan", end="")
        render.out.print(given["answer"])
        for source in given["read"]:
            shown = render.shortened(source["text"], SHOWN_CHARACTERS)
            render.out.print(f"    {source['document']}, {source['place']}: {shown}", style="dim")
    render.out.print()
