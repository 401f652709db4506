"""From answers to a table, a verdict, and the failures that are worth a look."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from infinidoc.evaluation import metrics
from infinidoc.evaluation.contest.jobs import RAG
from infinidoc.evaluation.questions import Question
from infinidoc.model.prompts import REFUSAL

PERCENT = ("em", "f1", "contains")
SHARES = ("source_at_1", "source_at_5")
MEASURES = (*PERCENT, *SHARES)
FAILURES = 10
# What readers say instead of an answer. The whole answer must be one of these, normalised.
REFUSALS = {
    metrics.normalise(text)
    for text in (
        "",
        "Nothing in this collection bears on that question.",
        "I can't read an answer from these passages; look at the sources.",
        REFUSAL,
        "no answer",
        "unanswerable",
        "unknown",
        "not mentioned",
        "not stated",
        "I don't know",
    )
}

Record = dict[str, Any]


def refused(record: Record) -> bool:
    """Whether a system gave no answer: it said so itself, or its reader did."""
    return not record["answered"] or metrics.normalise(record["answer"]) in REFUSALS


def scores(question: Question, record: Record) -> dict[str, float]:
    """One answer's score by each measure that applies: percent, or 0 to 1 for sources. A refusal is no answer."""
    found: dict[str, float] = {}
    if question.answers:
        text = "" if refused(record) else record["answer"]
        found["em"] = 100 * metrics.exact_match(text, question.answers)
        found["f1"] = 100 * metrics.f1(text, question.answers)
        found["contains"] = 100 * metrics.contains(text, question.answers)
    if question.source and record["ranking"] is not None:
        for measure, first in (("source_at_1", 1), ("source_at_5", 5)):
            found[measure] = metrics.source_at(record["ranking"], question.source, first)
    return found


def summarise(
    questions: Sequence[Question],
    records: dict[str, dict[str, Record]],
    facts: dict[str, dict[str, Any]],
    seed: int,
) -> dict[str, Any]:
    """The result of a comparison, but for its circumstances.

    `records` are the answers by system and question id, without the systems that were unfit; `facts` what each
    system's ingest noted. Measures are means over the questions that they apply to.
    """
    scored = {
        system: {question.id: scores(question, answers[question.id]) for question in questions}
        for system, answers in records.items()
    }
    rows = [row(system, questions, records.get(system), scored.get(system), facts[system], seed) for system in facts]
    ours = next((name for name in ("memory+recall", "memory", *records) if name in records), None)
    pairs = [
        pair
        for other in records
        if ours and other != ours
        for measure in MEASURES
        if (pair := compared(measure, ours, other, scored, seed)) is not None
    ]
    result = {"systems": rows, "pairs": pairs, "verdict": verdict(rows, pairs)}
    if ours and any(question.answers for question in questions):
        result["failures"] = failures(questions, records, scored, ours)
    if any(question.answers is None for question in questions):
        result["answers"] = [
            {"question": q.text, "systems": {name: shown(answers[q.id]) for name, answers in records.items()}}
            for q in questions
        ]
    return result


def row(
    system: str,
    questions: Sequence[Question],
    answers: dict[str, Record] | None,
    scored: dict[str, dict[str, float]] | None,
    facts: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """A system's line in the table. Times are medians over the questions; memory is the most that its process had."""
    line: dict[str, Any] = {"name": system, "unfit": facts.get("unfit"), "note": facts["note"], "n": 0, "intervals": {}}
    for measure in MEASURES:
        values = [found[measure] for found in (scored or {}).values() if measure in found]
        line[measure] = sum(values) / len(values) if values else None
        if values:
            line["intervals"][measure] = metrics.interval(values, seed)
            line["n" if measure in PERCENT else "n_sources"] = len(values)
    given = answers or {}
    for name, wanted in (("answerable", True), ("unanswerable", False)):
        asked = [
            given[q.id] for q in questions if q.answers is not None and bool(q.answers) == wanted and q.id in given
        ]
        line[f"n_{name}"] = len(asked)
        line[f"refused_{name}"] = sum(map(refused, asked)) / len(asked) if asked else None
    asked = [given[question.id] for question in questions if question.id in given]
    first = [record["timings"]["first_token"] for record in asked if "first_token" in record["timings"]]
    peaks = [record["peak_bytes"] for record in asked if record["peak_bytes"] is not None]
    parts = {"state": facts["kept"]["state"]} if system == "memory" else facts["kept"]
    reads = system != "no-context"
    return line | {
        "ingest_seconds": facts["seconds"] if reads else None,
        "ingest_tokens_per_second": facts["tokens"] / facts["seconds"] if reads and facts["seconds"] else None,
        "tokens": facts["tokens"],
        "first_token_seconds": median(first) if first else None,
        "seconds_per_question": median(record["timings"]["total"] for record in asked) if asked else None,
        "bytes_kept": sum(parts.values()),
        "second_model_bytes": facts["second_model_bytes"],
        "peak_memory_ingest": facts["peak_bytes"],
        "peak_memory_answering": max(peaks, default=None),
        "skipped": facts["skipped"],
        "device": facts["device"],
        "dtype": facts["dtype"],
        "threads": facts["threads"],
    }


def compared(
    measure: str, ours: str, other: str, scored: dict[str, dict[str, dict[str, float]]], seed: int
) -> dict[str, Any] | None:
    """Ours against another, question by question, where the measure applies to both."""
    both = [
        (found[measure], scored[other][identifier][measure])
        for identifier, found in scored[ours].items()
        if measure in found and measure in scored[other][identifier]
    ]
    if not both:
        return None
    pair = metrics.paired([a for a, _ in both], [b for _, b in both], seed)
    return {"measure": measure, "first": ours, "second": other, "n": len(both), **vars(pair)}


def verdict(rows: Sequence[dict[str, Any]], pairs: Sequence[dict[str, Any]]) -> str:
    """Who won, in plain words: memory + recall against the best RAG variant, whichever way it went."""
    by_name = {row["name"]: row for row in rows if not row["unfit"]}
    rivals = [row for row in by_name.values() if row["name"] in RAG]
    ours = by_name.get("memory+recall")
    sentences = []
    for measure, what, unit in (("f1", "answers", "F1"), ("source_at_1", "the right source first", "share")):
        known = [rival for rival in rivals if rival[measure] is not None]
        if ours is None or ours[measure] is None or not known:
            continue
        best = max(known, key=lambda rival: rival[measure])
        pair = next(p for p in pairs if p["measure"] == measure and p["second"] == best["name"])
        low, high = pair["interval"]
        if low > 0:
            outcome = f"memory+recall wins over the best RAG variant, {best['name']}"
        elif high < 0:
            outcome = f"RAG wins: {best['name']} is ahead of memory+recall"
        else:
            outcome = f"no clear winner between memory+recall and the best RAG variant, {best['name']}"
        digits = 1 if measure in PERCENT else 3
        ahead = f"{pair['difference']:+.{digits}f}, 95 % interval {low:+.{digits}f} to {high:+.{digits}f}"
        counts = f"{pair['wins']} won, {pair['losses']} lost, {pair['ties']} tied, p = {pair['p']:.2g}"
        values = f"{unit} {ours[measure]:.{digits}f} against {best[measure]:.{digits}f}"
        sentences.append(f"{what[0].upper()}{what[1:]}: {outcome}; {values} ({ahead}; {counts}).")
        if measure == "f1":
            mine, theirs = ours["seconds_per_question"], best["seconds_per_question"]
            sentences.append(f"A question takes {mine:.2f} s, with {best['name']} {theirs:.2f} s.")
    if not sentences and ours is None:
        return "No verdict: it takes memory+recall and a RAG variant to compare."
    return " ".join(sentences) or "No verdict: without right answers or sources, judge for yourself."


def failures(
    questions: Sequence[Question],
    records: dict[str, dict[str, Record]],
    scored: dict[str, dict[str, dict[str, float]]],
    ours: str,
) -> list[dict[str, Any]]:
    """The questions that our system failed worst at, those first that another one answered best."""

    def gap(question: Question) -> tuple[float, float]:
        mine = scored[ours][question.id]["f1"]
        others = [scored[name][question.id]["f1"] for name in records if name != ours]
        return mine - max(others, default=0.0), mine

    missed = [q for q in questions if q.answers and scored[ours][q.id]["f1"] < 50]
    return [
        {
            "question": question.text,
            "answers": question.answers,
            "source": question.source,
            "systems": {
                name: {**shown(answers[question.id]), **scored[name][question.id]} for name, answers in records.items()
            },
        }
        for question in sorted(missed, key=gap)[:FAILURES]
    ]


def shown(record: Record) -> dict[str, Any]:
    """What a person wants to see of an answer."""
    return {key: record[key] for key in ("answer", "read")} | {"refused": refused(record)}
