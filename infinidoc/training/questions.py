"""What a reader is trained on: questions, the passages that answer them, and passages that only look as if they did.

`gather` brings together the questions that come with the package (articles and files written for training, documents in
four languages, follow-ups, the half of XQuAD that isn't held out), those that programs make up, and the public ones in
a directory (`--data`; its README names sources and licences). Contexts are cut into passages as short as those that
recall finds. Each question is given the passages nearest to it that lack its answer: what recall would find beside the
right one, or instead of it.
"""

import json
import lzma
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from infinidoc.errors import InfinidocError
from infinidoc.made.passages import kinds, typos
from infinidoc.made.passages import passage as made_passage
from infinidoc.model.prompts import ANSWER, EXPLANATION
from infinidoc.training.corpus import Corpus, sentences, written, xquad

PASSAGE_WORDS = 120  # about 160 tokens, the longest passage of a collection
WHOLE_WORDS = 260  # a context up to here may be shown whole: neighbours that recall finds are read as one
NEAR = 8
MADE = 5000  # made-up passages
LONG_SENTENCES = 3
YES_NO = {"yes": "Yes", "no": "No"}


@dataclass(frozen=True)
class Text:
    """A passage that can be shown, and where it is from ("" where nobody knows)."""

    title: str
    text: str


@dataclass(frozen=True)
class Asked:
    """A question. `gold` are the texts (by number) that answer it, all needed; none: it can't be answered from `near`,
    the texts that bear on it without the answer. `style` as in `model.prompts`. `weight`: how often it counts."""

    source: str
    question: str
    answers: tuple[str, ...]
    style: str
    gold: tuple[int, ...]
    near: tuple[int, ...] = ()
    weight: float = 1.0


@dataclass
class Questions:
    """All texts and questions of a training."""

    texts: list[Text] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    known: dict[Text, int] = field(default_factory=dict)

    def text(self, title: str, text: str) -> int:
        """The number of a text, added if it is new."""
        found = Text(" ".join(title.split()), text.strip())
        if found not in self.known:
            self.known[found] = len(self.texts)
            self.texts.append(found)
        return self.known[found]

    def save(self, file: Path) -> None:
        """As xz-compressed JSON: 10 MB for a hundred thousand questions."""
        with lzma.open(file, "wt", encoding="utf-8", preset=6) as stream:
            json.dump([[asdict(t) for t in self.texts], [asdict(a) for a in self.asked]], stream, ensure_ascii=False)

    @classmethod
    def load(cls, file: Path) -> "Questions":
        with lzma.open(file, "rt", encoding="utf-8") as stream:
            texts, asked = json.load(stream)

        def tuples(row: dict[str, Any]) -> dict[str, Any]:
            return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}

        return cls([Text(**row) for row in texts], [Asked(**tuples(row)) for row in asked])


def gather(data: Path | None, rng: random.Random, notify: Callable[[str], None] = lambda what: None) -> Questions:
    """All questions there are, with near passages. `data` holds public ones as `<source>.jsonl.xz`; None: without them.

    Raises InfinidocError for a file in `data` that isn't in that form, or if there is none.
    """
    public = sorted(data.glob("*.jsonl.xz")) if data else []
    if data and not public:
        raise InfinidocError(f"no questions in {data}", "they are files SOURCE.jsonl.xz (see the adapter's card)")
    questions = Questions()
    notify("questions that come with the package")
    for corpus, weight in ((xquad(held_out=False), 4.0), (written(), 1.0)):
        _articles(questions, corpus, weight)
    for name, weight in (("office", 3.0), ("languages", 2.0), ("followups", 1.0)):
        _sets(questions, packaged(name), name, weight)
    _made(questions, rng)
    for file in public:
        notify(f"questions of {file.name}")
        try:
            with lzma.open(file, "rt", encoding="utf-8") as stream:
                _public(questions, file.name.split(".")[0], [json.loads(line) for line in stream], rng)
        except (OSError, EOFError, lzma.LZMAError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InfinidocError(
                f"{file} holds no questions that can be read ({type(error).__name__}: {error})",
                "what each line looks like stands in infinidoc/training/data/README.md",
            ) from error
    notify("the nearest passages of every question")
    near(questions)
    return questions


def packaged(name: str) -> list[dict[str, Any]]:
    """The rows of a file in `training/data`."""
    lines = files(__package__).joinpath(f"data/{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _articles(questions: Questions, corpus: Corpus, weight: float) -> None:
    for paragraph in corpus.paragraphs:
        number = questions.text("", paragraph)
        for one in corpus.on(paragraph):
            whole = tuple(answer for answer in one.answers if holds(paragraph, answer))  # XQuAD cuts one in mid-number
            if whole:
                questions.asked.append(Asked("articles", one.text, whole, ANSWER, (number,), weight=weight))
        for one in corpus.unanswerable(paragraph):
            questions.asked.append(Asked("articles", one.text, (), ANSWER, (), (number,), weight=weight))


def _sets(
    questions: Questions, rows: Sequence[dict[str, Any]], source: str, weight: float, refused: float | None = None
) -> None:
    """Sets of documents, questions on them (or conversations), and such as they don't answer (of weight `refused`)."""
    pools = {row["pool"]: row["documents"] for row in rows if "turns" not in row and "pool" in row}
    for row in rows:
        documents = row.get("documents") or pools[row["pool"]]
        numbers = [questions.text(f"{one['name']}, {one['place']}", one["text"]) for one in documents]
        for one in row.get("asked", ()):
            gold = tuple(numbers) if one["kind"] in ("two", "version") else (numbers[one["document"]],)
            others = tuple(number for number in numbers if number not in gold)
            answers = (one["answer"],)
            questions.asked.append(Asked(source, one["question"], answers, ANSWER, gold, others, weight))
        for turn in row.get("turns", ()):
            right = numbers[turn["document"]]
            others = tuple(number for number in numbers if number != right)
            for form in dict.fromkeys((turn["question"], turn["alone"])):
                if form == turn["alone"] or not turn["leans"]:
                    questions.asked.append(Asked(source, form, (turn["answer"],), ANSWER, (right,), others, weight))
        for question in row.get("unanswerable", ()):
            text = question["question"] if isinstance(question, dict) else question
            questions.asked.append(Asked(source, text, (), ANSWER, (), tuple(numbers), refused or weight))


def _made(questions: Questions, rng: random.Random) -> None:
    """Passages and files that programs make up."""
    from infinidoc.made.office import office

    names = sorted(kinds())
    for number in range(MADE):
        made = made_passage(rng, names[number % len(names)])
        place = questions.text(made.kind if rng.random() < 0.5 else "", made.text)
        for one in rng.sample(made.asked, min(2, len(made.asked))):
            questions.asked.append(Asked("made", one.question, (one.answer,), ANSWER, (place,), weight=0.4))
        for question in made.unanswerable[:1]:
            questions.asked.append(Asked("made", question, (), ANSWER, (), (place,), weight=0.4))
    rows = [asdict(office(rng)) for _ in range(MADE // 2)]
    _sets(questions, rows, "made office", 0.35, refused=0.15)


# How the public sources are used: the share of their questions that a pass over the data sees (more than 1: several
# times). The more a source's answers look like what people ask of files, the more.
SHARES = {
    "boolq": 1.0,
    "covidqa": 1.0,
    "fairytaleqa": 0.6,
    "fetaqa": 0.4,
    "medquad": 0.15,
    "qamr": 0.3,
    "qed": 1.0,
    "qmsum": 0.4,
    "quotesum": 2.0,
    "tatqa": 1.5,
}


def _public(questions: Questions, source: str, rows: Sequence[dict[str, Any]], rng: random.Random) -> None:
    """Questions of one public source. Those without a context ask about whole documents, which no reader is shown."""
    for row in rows:
        context, answers = row["context"].strip(), tuple(answer.strip() for answer in row["answers"] if answer.strip())
        if not context or source not in SHARES or not answers:
            continue
        style, share = ANSWER, SHARES[source]
        if row["kind"] == "yesno":
            answers = tuple(YES_NO[answer] for answer in answers)
        elif row["kind"] == "long":
            if source == "fairytaleqa" and len(answers[0].split()) <= 12:
                share /= 2  # free wording, but short
            else:
                style = EXPLANATION
            answers = tuple(dict.fromkeys(" ".join(sentences(answer)[:LONG_SENTENCES]) for answer in answers))
        pieces = cut(context)
        gold = [piece for piece in pieces if row["kind"] != "span" or any(holds(piece, answer) for answer in answers)]
        if not gold:  # the answer lies across two passages
            gold = pieces
        whole = len(context.split()) <= WHOLE_WORDS
        if row["kind"] == "long" or (whole and rng.random() < 0.5):
            shown = " ".join(context.split()[:400]) if len(context.split()) > 400 else context
        elif row["kind"] == "span":
            shown = max(gold, key=lambda piece: shared_words(piece, row["question"]))
        else:
            shown = context
        numbers = [questions.text(row["title"], piece) for piece in pieces]  # so that they can be near to others
        right = questions.text(row["title"], shown)
        # Pieces of the same context that lack the answer stand near, whether or not they are alike in words.
        beside = tuple(
            number
            for number, piece in zip(numbers, pieces, strict=True)
            if row["kind"] == "span" and piece not in shown and not any(holds(piece, answer) for answer in answers)
        )
        questions.asked.append(Asked(source, row["question"], answers, style, (right,), beside[:NEAR], share))


def cut(context: str) -> list[str]:
    """A text in passages of whole lines or sentences, of about `PASSAGE_WORDS` words at most."""
    pieces: list[str] = []
    for line in context.splitlines():
        for number, sentence in enumerate(sentences(line)):
            joined = " ".join if number else "\n".join
            if pieces and len(pieces[-1].split()) + len(sentence.split()) <= PASSAGE_WORDS:
                pieces[-1] = joined((pieces[-1], sentence))
            else:
                pieces.append(sentence)
    return pieces


def holds(text: str, answer: str) -> bool:
    """Whether an answer stands in a text, as whole words, whatever its case."""
    return re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", text, re.IGNORECASE) is not None


def shared_words(text: str, question: str) -> int:
    words = set(re.findall(r"\w{3,}", question.lower()))
    return len(words & set(re.findall(r"\w{3,}", text.lower())))


def near(questions: Questions) -> None:
    """Gives every question that can be answered the texts nearest to it (TF-IDF cosine) that lack its answers."""
    import numpy
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english", dtype=numpy.float32)
    table = vectorizer.fit_transform(text.text for text in questions.texts).T.tocsc()
    wanted = vectorizer.transform(one.question for one in questions.asked)
    for first in range(0, len(questions.asked), 512):
        found = (wanted[first : first + 512] @ table).tocsr()
        for row in range(found.shape[0]):
            one = questions.asked[first + row]
            if not one.gold:
                continue
            columns = found.indices[found.indptr[row] : found.indptr[row + 1]]
            values = found.data[found.indptr[row] : found.indptr[row + 1]]
            best = columns[values.argsort()[::-1][: 4 * NEAR]]
            taken = list(_lacking(questions, one, iter(one.near)))[:NEAR]
            for number in _lacking(questions, one, (int(n) for n in best)):
                if len(taken) == NEAR:
                    break
                if number not in taken:
                    taken.append(number)
            questions.asked[first + row] = replace(one, near=tuple(taken))


def _lacking(questions: Questions, one: Asked, numbers: Iterator[int]) -> Iterator[int]:
    """Texts that don't answer a question: they lack its answers, and aren't parts of those that do."""
    gold = [questions.texts[number].text for number in one.gold]
    short = [answer for answer in one.answers if one.style == ANSWER and answer not in YES_NO.values()]
    for number in numbers:
        text = questions.texts[number].text
        if number in one.gold or any(text in whole or whole in text for whole in gold):
            continue
        if not any(holds(text, answer) for answer in short):
            yield number


def reworded(question: str, rng: random.Random) -> str:
    """The question as people type it: with or without its capital and mark, now and then with a slip."""
    bare = question.islower() and not question.endswith("?")
    style = rng.random()
    if bare and style < 0.45:
        return f"{question[:1].upper()}{question[1:]}?"
    if not bare and style < 0.1:
        return question.lower().rstrip("?. ")
    if style > 0.94:
        return typos(question, rng)
    return question
