"""Questions to measure with: SQuAD's JSON, JSON Lines, CSV, or plain text with a question per line."""

import csv
import hashlib
import io
import json
import random
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infinidoc.documents.document import Unreadable
from infinidoc.documents.formats import limited
from infinidoc.errors import InfinidocError
from infinidoc.evaluation.metrics import normalise

FORMATS = "SQuAD JSON, JSON Lines, CSV or TSV with a column question, or text with a question per line"
_SURROGATES = re.compile(r"[\ud800-\udfff]")  # halves of characters, which JSON can spell and no file can hold


@dataclass(frozen=True)
class Question:
    """`answers`: the right ones; () where the documents hold none; None where nobody has written them down.

    `source` is the document that holds the answer: its path, or the end of one; None if that isn't known.
    """

    id: str
    text: str
    answers: tuple[str, ...] | None = None
    source: str | None = None


@dataclass(frozen=True)
class QuestionFile:
    """What a file of questions holds. `documents` are SQuAD's own contexts, relative path to text; else empty."""

    name: str
    digest: str
    questions: list[Question]
    documents: dict[str, str] = field(default_factory=dict)

    def sample(self, limit: int | None, seed: int) -> list[Question]:
        """So many of the questions, at random, in the file's order; all of them without a limit."""
        if limit is None or limit >= len(self.questions):
            return self.questions
        chosen = set(random.Random(seed).sample(range(len(self.questions)), limit))
        return [question for index, question in enumerate(self.questions) if index in chosen]


def question_digest(text: str) -> str:
    """The SHA-256 of a question, normalised as answers are: what training data and questions are compared by."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()


def read_questions(file: Path | None) -> QuestionFile:
    """Those of a file, or of standard input. Raises InfinidocError, in one line that says where, for a file that isn't
    what its name says."""
    name = str(file) if file else "standard input"
    try:
        with file.open("rb") if file else nullcontext(sys.stdin.buffer) as opened:
            content = limited(opened)
    except Unreadable as error:
        raise InfinidocError(f"{name} can't be read ({error})", f"questions are {FORMATS}") from error
    except IsADirectoryError as error:
        raise InfinidocError(f"{file} is a directory", "give one file with questions") from error
    return parse_questions(name, content)


def parse_questions(name: str, content: bytes) -> QuestionFile:
    """`read_questions`, for a file's bytes. The name's extension says what they are; none is plain text."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InfinidocError(f"{name} is not text in UTF-8", f"questions are {FORMATS}") from error
    documents: dict[str, str] = {}
    suffix = Path(name).suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        rows = list(_json_lines(name, text))
    elif suffix in (".csv", ".tsv"):
        rows = list(_table(name, text))
    elif suffix == ".json":
        rows, documents = _json(name, text)
    elif suffix in ("", ".txt", ".md"):
        rows = [_row(name, "", line, None, None) for line in text.splitlines() if line.strip()]
    else:
        raise InfinidocError(f"no reader for questions in {name}", f"give {FORMATS}")
    if not rows:
        raise InfinidocError(f"{name} has no questions", f"give {FORMATS}")
    return QuestionFile(name, hashlib.sha256(content).hexdigest(), _named(rows), documents)


def _named(rows: Sequence[Question]) -> list[Question]:
    """The questions with ids by which results are found again: the content's digest, numbered where it repeats."""
    seen: dict[str, int] = {}
    named = []
    for row in rows:
        content = json.dumps([row.text, row.answers, row.source], ensure_ascii=False)
        digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        seen[digest] = seen.get(digest, 0) + 1
        suffix = f"-{seen[digest]}" if seen[digest] > 1 else ""
        named.append(Question(digest + suffix, row.text, row.answers, row.source))
    return named


def _row(name: str, where: str, question: Any, answers: Any, source: Any) -> Question:
    """A question out of one row; `where` tells the row to a person."""
    if not isinstance(question, str) or not question.strip():
        raise InfinidocError(f"{name}{where} has no question", "every row needs one, under the name question")
    if isinstance(answers, str | int | float):
        answers = [answers]
    if answers is not None:
        if not isinstance(answers, list) or any(not isinstance(answer, str | int | float) for answer in answers):
            raise InfinidocError(f"{name}{where}: answers are neither text nor a list of texts")
        answers = tuple(dict.fromkeys(str(answer) for answer in answers))
    return Question("", " ".join(question.split()), answers, str(source) if source else None)


def _fields(row: dict[str, Any]) -> tuple[Any, Any, Any]:
    """(question, answers, source) under whatever names the row has them."""
    lower = {str(key).strip().lower(): value for key, value in row.items()}
    answers = next((lower[key] for key in ("answers", "answer") if lower.get(key) is not None), None)
    if isinstance(answers, dict):  # as SQuAD's rows are on the hub: {"text": [...], "answer_start": [...]}
        answers = answers.get("text")
    if str(lower.get("is_impossible", "")).lower() in ("true", "1", "yes"):
        answers = []
    source = next((lower[key] for key in ("source", "document", "file", "path") if lower.get(key)), None)
    return lower.get("question"), answers, source


def _json_lines(name: str, text: str) -> Iterator[Question]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            where = f", line {number},"
            row = _loads(name, line, where)
            if not isinstance(row, dict):
                raise InfinidocError(
                    f"{name}{where} isn't an object", 'give {"question": …, "answers": […]} on each line'
                )
            yield _row(name, where, *_fields(row))


def _table(name: str, text: str) -> Iterator[Question]:
    header = text.partition("\n")[0]
    delimiter = "\t" if "\t" in header else ";" if ";" in header and "," not in header else ","
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        if "question" not in [str(column).strip().lower() for column in reader.fieldnames or []]:
            raise InfinidocError(f"{name} has no column question", "its first line must name the columns")
        for row in reader:
            question, answers, source = _fields(row)
            if isinstance(answers, str):
                listed = answers.lstrip().startswith("[")
                answers = _loads(name, answers, f", line {reader.line_num},") if listed else answers.strip() or None
            yield _row(name, f", line {reader.line_num},", question, answers, source)
    except csv.Error as error:
        raise InfinidocError(f"{name}, line {reader.line_num}, isn't a row of a table ({error})") from error


def _loads(name: str, text: str, where: str = "") -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InfinidocError(f"{name}{where} isn't JSON ({error})") from error


def _json(name: str, text: str) -> tuple[list[Question], dict[str, str]]:
    content = _loads(name, text)
    if isinstance(content, dict) and "data" in content:
        return _squad(name, content["data"])
    if isinstance(content, list):
        rows = [row if isinstance(row, dict) else {"question": row} for row in content]
        return [_row(name, f", entry {number},", *_fields(row)) for number, row in enumerate(rows, 1)], {}
    raise InfinidocError(f"{name} is neither SQuAD JSON nor a list of questions", f"give {FORMATS}")


def _squad(name: str, articles: Any) -> tuple[list[Question], dict[str, str]]:
    """SQuAD 1.1 or 2.0. Paragraphs become documents; one that occurs twice is one document."""
    questions: list[Question] = []
    documents: dict[str, str] = {}
    paths: dict[str, str] = {}
    where = "the file"
    try:
        for number, article in enumerate(articles, 1):
            where = f"article {number}"
            slug = re.sub(r"\W+", "-", str(article.get("title", ""))).strip("-")[:60]
            for index, paragraph in enumerate(article["paragraphs"], 1):
                where = f"article {number}, paragraph {index}"
                text = paragraph["context"]
                path = paths.setdefault(text, f"{number:04}-{slug or 'article'}/{index:03}.txt")
                documents[path] = text
                for qa in paragraph["qas"]:
                    answers = [] if qa.get("is_impossible") else [answer["text"] for answer in qa["answers"]]
                    questions.append(_row(name, f", {where},", qa["question"], answers, path if answers else None))
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise InfinidocError(f"{name} isn't SQuAD JSON: in {where}, {reason}") from error
    return questions, documents
