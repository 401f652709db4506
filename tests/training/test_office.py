"""Documents of an office, written and made: answers stand in them, quotes too, and nothing is asked elsewhere."""

import re
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from random import Random

import pytest

from infinidoc.made.office import Set, office, read

EXAMPLES = Path(__file__).parents[2] / "examples"
VERSION = re.compile(r"(.+) \(an earlier version says (.+)\)")
KINDS = {
    "date", "amount", "name", "list", "yesno", "table", "mail", "two", "version", "number", "reason", "how", "where",
    "what", "definition",
}  # fmt: skip


@pytest.fixture(scope="module")
def written() -> list[Set]:
    text = (files("infinidoc.training") / "data" / "office.jsonl").read_text(encoding="utf-8")
    return read(text.splitlines())


@pytest.fixture(scope="module")
def made() -> list[Set]:
    rng = Random(7)
    return [office(rng) for _ in range(500)]


@pytest.fixture(scope="module", params=["written", "made"])
def sets(request: pytest.FixtureRequest) -> list[Set]:
    found: list[Set] = request.getfixturevalue(request.param)
    return found


def stands(span: str, text: str) -> bool:
    """Whether it stands there word for word, whole words only."""
    return re.search(rf"(?<!\w){re.escape(span)}(?!\w)", text) is not None


def plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def spans(kind: str, answer: str, quote: str) -> list[str]:
    """What must stand in the documents for that answer."""
    if kind == "yesno":
        return []
    if kind == "version":
        match = VERSION.fullmatch(answer)
        assert match, answer
        return list(match.groups())
    if kind in ("list", "two") and not stands(answer, quote):
        return re.split(r", and |, | and |; ", answer)
    return [answer]


def test_every_quote_and_every_answer_stands_in_the_documents(sets: list[Set]) -> None:
    for each in sets:
        for asked in each.asked:
            assert asked.kind in KINDS
            text = each.documents[asked.document].text
            assert asked.quote, each.id
            assert asked.quote in text, (each.id, asked)
            found = spans(asked.kind, asked.answer, asked.quote)
            everywhere = [document.text for document in each.documents]
            for span in found:
                assert any(stands(span, place) for place in everywhere), (each.id, asked)
            if found and asked.kind not in ("list", "two"):
                assert stands(found[0], asked.quote), (each.id, asked)


def test_yes_or_no_is_said_in_equal_parts(sets: list[Set]) -> None:
    answers = Counter(asked.answer for each in sets for asked in each.asked if asked.kind == "yesno")
    assert set(answers) == {"Yes", "No"}
    assert 0.42 < answers["Yes"] / answers.total() < 0.58


def test_no_question_holds_its_answer(sets: list[Set]) -> None:
    for each in sets:
        for asked in each.asked:
            for span in spans(asked.kind, asked.answer, asked.quote):
                assert not stands(plain(span), plain(asked.question)), (each.id, asked)


def test_nothing_is_there_twice(sets: list[Set]) -> None:
    assert len({each.id for each in sets}) == len(sets)
    texts = [document.text for each in sets for document in each.documents]
    assert len(set(texts)) == len(texts)
    for each in sets:
        questions = [plain(asked.question) for asked in each.asked]
        assert len(set(questions)) == len(questions), (each.id, questions)


def test_what_is_said_to_be_unanswerable_is_not_also_asked(sets: list[Set]) -> None:
    for each in sets:
        assert len(each.unanswerable) >= 3, each.id
        asked = {frozenset(plain(one.question).split()) for one in each.asked}
        for question in each.unanswerable:
            assert frozenset(plain(question).split()) not in asked, (each.id, question)


def test_sizes(written: list[Set], made: list[Set]) -> None:
    assert len(written) >= 60
    for each in written:
        assert 6 <= len(each.asked) <= 14, each.id
        assert 1 <= len(each.documents) <= 5, each.id
        assert sum(len(document.text.split()) for document in each.documents) >= 60, each.id
    for each in made:
        assert len(each.asked) >= 4, each.id


def test_kinds(written: list[Set], made: list[Set]) -> None:
    common = {"date", "amount", "name", "list", "yesno", "table", "mail", "two", "version", "number", "reason", "where"}
    assert {asked.kind for each in written for asked in each.asked} >= common
    assert {asked.kind for each in made for asked in each.asked} >= common
    families = {each.id.rsplit("-", 1)[0] for each in made}
    assert len(families) >= 12


def test_the_same_seed_makes_the_same_sets(made: list[Set]) -> None:
    rng = Random(7)
    assert [office(rng) for _ in range(20)] == made[:20]
    assert office(Random(8)) != made[0]


def test_written_documents_share_no_eight_words_with_what_is_measured(written: list[Set]) -> None:
    held_out = {run for path in _examples() for run in _runs(path.read_text(encoding="utf-8", errors="ignore"))}
    assert len(held_out) > 1000
    for each in written:
        texts = [document.text for document in each.documents] + [asked.question for asked in each.asked]
        for text in [*texts, *each.unanswerable]:
            shared = held_out.intersection(_runs(text))
            assert not shared, (each.id, shared)


def _examples() -> Iterator[Path]:
    endings = (".txt", ".md", ".jsonl", ".eml", ".mbox", ".csv", ".html", ".py")
    return (path for path in EXAMPLES.rglob("*") if path.suffix in endings)


def _runs(text: str) -> Iterator[str]:
    words = plain(text).split()
    return (" ".join(words[at : at + 8]) for at in range(len(words) - 7))
