"""A comparison of systems on the same documents and questions: who answers better, and at what cost.

The systems run one after the other, so that none disturbs another's timings. What they have answered is in the
output directory, a file per system; a comparison that is interrupted goes on where it stopped.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from infinidoc.baselines.chunking import CHUNK_TOKENS, DEPTH, OVERLAP_TOKENS
from infinidoc.baselines.retrieval import MINILM
from infinidoc.documents.discovery import File, discover
from infinidoc.errors import InfinidocError
from infinidoc.evaluation.contest import summary
from infinidoc.evaluation.contest.jobs import NAMES, RAG, Job, ingested_file, read_records
from infinidoc.evaluation.questions import Question, QuestionFile, question_digest
from infinidoc.evaluation.results import surroundings
from infinidoc.files import write, write_json
from infinidoc.model import adapters
from infinidoc.model.catalogue import base_digest, base_name

SETTINGS, RESULT, LOG = "settings.json", "result.json", "log.txt"
RAG_LIBRARIES = ("bm25s", "sentence-transformers")


@dataclass(frozen=True)
class Step:
    """How far a comparison is: `done` of `total` are bytes while a system ingests, questions while it answers."""

    system: str
    stage: str
    done: float
    total: float
    name: str


@dataclass(frozen=True)
class Plan:
    """What to compare on what. `paths` hold the documents; everything that comes of it goes below `out`."""

    out: Path
    file: QuestionFile
    questions: list[Question]
    paths: list[str]
    systems: list[str]
    model: str
    embedder: str
    seed: int
    settings: dict[str, Any]

    def job(self, stage: str, system: str) -> Job:
        questions = [(question.id, question.text) for question in self.questions]
        return Job(stage, system, str(self.out.resolve()), self.paths, self.model, self.embedder, questions)


def plan(
    out: Path,
    file: QuestionFile,
    paths: Sequence[str] = (),
    systems: Sequence[str] = NAMES,
    limit: int | None = None,
    seed: int = 0,
    model: str | None = None,
    embedder: str = MINILM,
) -> Plan:
    """Checks everything that can be checked before a model is loaded. The base model must be on this machine.

    Without paths, a SQuAD file's contexts become the documents, in OUT/documents. Raises InfinidocError if there are no
    documents, a question's source is none of them, or `out` holds a comparison of something else.
    """
    own = not paths
    if own:
        if not file.documents:
            raise InfinidocError("no documents", "name files to answer from, or give questions as SQuAD JSON")
        paths = [str(out / "documents")]
        documents = digest_of((name, text.encode()) for name, text in sorted(file.documents.items()))
    else:
        files = readable(paths)
        documents = digest_of((os.path.basename(path), Path(path).read_bytes()) for path in files)
    model = base_name(model)
    card = adapters.choose(base_digest(model))
    settings = {
        "documents": documents,
        "model": base_digest(model),
        "adapter": digest_of((file.name, file.read_bytes()) for file in card.files) if card else None,
        "embedder": embedder,
        "rag": [CHUNK_TOKENS, OVERLAP_TOKENS, DEPTH],
        "version": version("infinidoc"),
    }
    known = json.loads((out / SETTINGS).read_text()) if (out / SETTINGS).exists() else settings
    if known != settings:
        changed = ", ".join(name for name in settings if settings[name] != known.get(name))
        raise InfinidocError(f"{out} holds another comparison (changed: {changed})", "choose another --out")
    if own:
        for name, text in file.documents.items():
            write(out / "documents" / name, text)
        files = readable(paths)
    questions = file.sample(limit, seed)
    if file.documents and not own:  # its contexts are none of the documents
        questions = [replace(question, source=None) for question in questions]
    questions = located(questions, files)
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / SETTINGS, settings)
    return Plan(out, file, questions, list(paths), list(systems), model, embedder, seed, settings)


def readable(paths: Sequence[str]) -> list[str]:
    """The files that paths mean. Raises InfinidocError if there are none."""
    files = [str(item.path) for item in discover(paths) if isinstance(item, File)]
    if not files:
        raise InfinidocError(f"no file in {', '.join(paths)} can be read", "name others")
    return files


def digest_of(contents: Iterable[tuple[str, bytes]]) -> str:
    """One SHA-256 for names and contents."""
    digest = hashlib.sha256()
    for name, content in contents:
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()


def located(questions: Sequence[Question], files: Sequence[str]) -> list[Question]:
    """The questions with their sources as whole paths. Raises InfinidocError for one that is no file, or several."""
    by_name = defaultdict(list)
    for file in files:
        by_name[os.path.basename(file)].append(file)
    found = []
    for question in questions:
        if question.source is not None:
            ending = os.sep + os.path.normpath(question.source).lstrip(os.sep)
            fits = [file for file in by_name[os.path.basename(ending)] if file.endswith(ending)]
            if len(fits) != 1:
                what = "none" if not fits else "several"
                raise InfinidocError(
                    f"{question.source}, the source of {question.text!r}, is {what} of the documents",
                    "write sources as paths below PATHS, or leave them out",
                )
            question = replace(question, source=fits[0])
        found.append(question)
    return found


def run(plan: Plan, notify: Callable[[Step], None] = lambda step: None) -> dict[str, Any]:
    """Runs what hasn't run yet, writes OUT/result.json and returns what is in it.

    Raises InfinidocError if a system fails; what it and the others have done until then is kept.
    """
    facts: dict[str, dict[str, Any]] = {}
    records: dict[str, dict[str, summary.Record]] = {}
    wanted = {question.id for question in plan.questions}
    for system in plan.systems:
        if not noted(plan, system).get("whole"):
            carry_out(plan.job("ingest", system), plan.out, notify)
        job, unfit = plan.job("answer", system), None
        if not wanted <= {record["id"] for record in read_records(job.answers)}:
            unfit = carry_out(job, plan.out, notify)
        facts[system] = noted(plan, system) | {"unfit": unfit}
        if not unfit:
            records[system] = {record["id"]: record for record in read_records(job.answers)}
    around = surroundings()
    around["libraries"] |= {name: version(name) for name in RAG_LIBRARIES if set(plan.systems) & set(RAG)}
    result = {
        **summary.summarise(plan.questions, records, facts, plan.seed),
        "questions": {
            "file": plan.file.name,
            "digest": plan.file.digest,
            "in_file": len(plan.file.questions),
            "n": len(wanted),
            "asked_digest": digest_of_questions(plan.questions),
        },
        "documents": {"paths": plan.paths, "digest": plan.settings["documents"]},
        "model": {"name": plan.model, "digest": plan.settings["model"], "adapter": plan.settings["adapter"]},
        "embedder": plan.embedder,
        "seed": plan.seed,
        **around,
    }
    write_json(plan.out / RESULT, result)
    return result


def digest_of_questions(questions: Sequence[Question]) -> str:
    return hashlib.sha256("".join(sorted(question_digest(q.text) for q in questions)).encode()).hexdigest()


def noted(plan: Plan, system: str) -> dict[str, Any]:
    """What is known of a system's ingest; nothing if it hasn't begun."""
    file = ingested_file(plan.out, system)
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def carry_out(job: Job, out: Path, notify: Callable[[Step], None]) -> str | None:
    """Does a job in a process of its own. Returns why the system is unfit for it, if it is.

    Raises InfinidocError with the process's own words; if it had none, its log tells more.
    """
    command = [sys.executable, "-m", "infinidoc.evaluation.contest.worker"]
    notify(Step(job.system, job.stage, 0, 0, "starting"))
    with (
        open(out / LOG, "ab") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, encoding="utf-8"
        ) as process,
    ):
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            json.dump(asdict(job), process.stdin)
            process.stdin.close()
            for line in process.stdout:
                event = json.loads(line)
                if "error" in event:
                    raise InfinidocError(f"{job.system}: {event['error']}")
                if "unfit" in event:
                    return str(event["unfit"])
                notify(Step(job.system, job.stage, event["done"], event["total"], event["name"]))
            if process.wait():
                reason = "was killed; is there enough memory?" if process.returncode < 0 else f"failed; see {out / LOG}"
                raise InfinidocError(f"{job.system} {reason}", "run the same command again to go on")
        finally:
            process.terminate()
    return None
