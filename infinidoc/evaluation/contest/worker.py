"""A process of a comparison: one system reads the documents, or answers the questions.

    python -m infinidoc.evaluation.contest.worker < job.json

A process each, so that the peak memory is the system's own. Progress goes to standard output, a JSON object per line.
Every answer is on the disk before the next question is asked.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infinidoc.errors import InfinidocError
from infinidoc.evaluation.contest.jobs import Job, read_records
from infinidoc.evaluation.contest.systems import System, system
from infinidoc.files import write_json

if TYPE_CHECKING:
    from infinidoc.reading.summary import IngestProgress

RANKED_DOCUMENTS = 10  # how many different documents of a ranking are kept
SAVE_SECONDS = 1.0

Emit = Callable[[dict[str, Any]], None]


def work(job: Job, emit: Emit) -> None:
    """Does a job, going on where an earlier attempt stopped."""
    (ingest if job.stage == "ingest" else answer)(job, system(job), emit)


def ingest(job: Job, chosen: System, emit: Emit) -> None:
    """Reads the documents, and notes what that cost; the seconds of attempts that were cut short count too."""
    import torch

    job.ingested.parent.mkdir(parents=True, exist_ok=True)
    earlier = json.loads(job.ingested.read_text())["seconds"] if job.ingested.exists() else 0.0
    began = saved = time.perf_counter()

    def notify(progress: "IngestProgress") -> None:
        nonlocal saved
        done = {"done": progress.bytes_done, "total": progress.bytes_total, "tokens": progress.tokens}
        emit({**done, "name": progress.name})
        if time.perf_counter() - saved > SAVE_SECONDS:
            saved = time.perf_counter()
            write_json(job.ingested, {"seconds": earlier + saved - began, "whole": False})

    summary = chosen.ingest(notify)
    facts = {
        "whole": True,
        "seconds": earlier + summary.seconds,
        "tokens": summary.collection["tokens"],
        "skipped": [asdict(skipped) for skipped in summary.skipped],
        "kept": chosen.kept(),
        "second_model_bytes": chosen.second_model_bytes,
        "peak_bytes": peak_memory(),
        "note": chosen.note(),
        "device": str(chosen.base.device),
        "dtype": str(chosen.base.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
    }
    write_json(job.ingested, facts)


def answer(job: Job, chosen: System, emit: Emit) -> None:
    """Answers the questions that have no answer on the disk yet."""
    from infinidoc.reading.answering import generate, prompt

    job.answers.parent.mkdir(parents=True, exist_ok=True)
    known = {record["id"] for record in read_records(job.answers)}
    missing = [(identifier, text) for identifier, text in job.questions if identifier not in known]
    if (reason := chosen.unfit([text for _, text in job.questions])) is not None:
        emit({"unfit": reason})
        return
    if missing:  # what is loaded at the first need would be charged to the first question
        chosen.ranking(missing[0][1])
        generate(chosen.base, prompt(chosen.base, "Ready?", []), None, 2, lambda text: None)
    with open(job.answers, "a", encoding="utf-8") as file:
        for number, (identifier, text) in enumerate(missing):
            emit({"done": len(job.questions) - len(missing) + number, "total": len(job.questions), "name": text})
            given = chosen.ask(text)
            ranking = chosen.ranking(text)
            record = {
                "id": identifier,
                "question": text,
                "answer": given.text,
                "answered": given.answered,
                "ranking": list(dict.fromkeys(ranking))[:RANKED_DOCUMENTS] if ranking is not None else None,
                "read": [
                    {"document": source.document, "place": source.place, "text": source.text}
                    for source in given.sources
                ],
                "timings": given.timings,
                "peak_bytes": peak_memory(),
            }
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
    emit({"done": len(job.questions), "total": len(job.questions), "name": ""})


def peak_memory() -> int | None:
    """The most memory (resident bytes) that this process has had, or None on a system that doesn't tell.

    Linux's `ru_maxrss` would begin with that of the process that started this one.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def main() -> None:
    job = Job(**json.load(sys.stdin))
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print belongs into the log

    def emit(event: dict[str, Any]) -> None:
        events.write(json.dumps(event, ensure_ascii=False) + "\n")
        events.flush()

    try:
        work(job, emit)
    except InfinidocError as error:
        emit({"error": str(error)})
    except (KeyboardInterrupt, BrokenPipeError):  # the parent was interrupted too, or is gone
        sys.exit(130)


if __name__ == "__main__":
    main()
