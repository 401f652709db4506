"""What is asked of whole documents: points from start to end, counts, and answers with the passages they lean on."""

import re

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.memory.places import Place
from infinidoc.memory.records import PassageRow
from infinidoc.reading import through
from infinidoc.reading.borrowed import holding
from infinidoc.reading.collection import Collection
from infinidoc.reading.points import bearing, lift, proposed
from infinidoc.reading.scope import Scope
from infinidoc.reading.through import read_documents
from infinidoc.reading.whole_documents import POINTS, TIMES, WIDE, WholeDocuments, repeats, stretches
from tests.reading.test_through import text_of


@pytest.fixture
def collection(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(through, "SLOTS", 16)
    for name, seed in (("north/log.txt", 3), ("south/log.txt", 4), ("other.txt", 5)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text_of(60, seed=seed))
    with Collection(Place("mine", tmp_path / "mine"), str(tiny), memory=False) as made:
        made.ingest([tmp_path / name for name in ("north/log.txt", "south/log.txt", "other.txt")])
        yield made


def test_main_points_are_sentences_of_the_document_from_start_to_end_each_with_its_passage(collection):
    heard = []
    answer = WholeDocuments(collection, ["other.txt"]).summarize(heard.append)
    assert "".join(heard) == answer.text
    said = re.findall(r"(.+?) \[(\d+)\] ?", answer.text)
    assert len(said) == POINTS
    (document,) = collection.find("other.txt")
    text = " ".join(collection.store.document(document.id).text.split())
    places = [text.index(sentence) for sentence, _ in said]
    assert places == sorted(places)
    assert places[0] < len(text) / 4
    assert places[-1] > len(text) * 3 / 4
    for sentence, number in said:
        assert sentence in " ".join(answer.sources[int(number) - 1].text.split())
    assert answer.verbatim
    assert [" ".join(quote.text.split()) for quote in answer.quotes] == [sentence for sentence, _ in said]
    assert collection.log(1)[0].answer.text == answer.text


def test_of_several_documents_each_has_its_points(collection):
    answer = WholeDocuments(collection, ["north/log.txt", "other.txt"]).ask("What is this all about?")
    assert {source.path.rpartition("/")[2] for source in answer.sources} == {"log.txt", "other.txt"}


def test_how_often_words_stand_there_is_counted(collection):
    (document,) = collection.find("other.txt")
    text = collection.store.document(document.id).text
    times = len(re.findall(r"\bwine\b", text))
    assert times > 1
    whole = WholeDocuments(collection, ["other.txt"])
    answer = whole.ask('How often is "wine" mentioned in the book?')
    assert f" {times} times " in answer.text
    assert all("wine" in source.text and source.marks for source in answer.sources)
    assert f" {times} times " in whole.ask("How many times does the wine appear?").text
    assert "nowhere" in whole.ask("How many times does the word submarine occur?").text
    phrase = re.search(r"\d+ tons of wine", text)[0]
    said = whole.ask(f"How often is {phrase} mentioned?").text
    assert f" {text.count(phrase)} times " in said.replace("once", "1 times")


def test_an_answer_comes_with_what_is_recalled_and_the_ends_if_they_are_asked_for(collection):
    whole = WholeDocuments(collection, ["other.txt"])
    (document,) = collection.find("other.txt")
    rows = collection.store.passages(document.id)
    ends = {rows[0].start, rows[-1].start}
    answer = whole.ask("How does it end?", max_tokens=12)
    starts = [source.start for source in answer.sources]
    assert ends <= set(starts)
    assert starts == sorted(starts)
    assert any(source.score > 0 for source in answer.sources)
    assert answer.text
    assert answer.timings["total"] >= answer.timings["recall"]
    recalled = collection.search("Who is there?", 4, Scope(within=(document.path,)))
    assert {source.start for source in whole.ask("Who is there?", max_tokens=12).sources} <= {
        source.start for source in recalled
    }


def test_what_the_documents_say_of_it_stands_in_the_answer_with_its_passage(collection):
    answer = WholeDocuments(collection, ["other.txt"]).ask("How much salt does the Amalia carry?", max_tokens=4)
    quoted = re.findall(r"The \w+ carries \d+ tons of \w+\. \[\d+\]", answer.text)
    assert quoted
    for one in quoted:
        sentence, number = re.fullmatch(r"(.*) \[(\d+)\]", one).groups()
        assert "salt" in sentence or "Amalia" in sentence
        assert sentence in " ".join(answer.sources[int(number) - 1].text.split())


def test_bearing_on_a_question_are_the_sentences_that_have_its_words():
    text = (
        "The harbour keeps a long list of every ship there. Hank the farmer came from the far north. "
        "Every ship in the harbour pays its own way. Nobody knew the farmer when Hank came in here. "
        "A gull sat quietly on some old wooden post. The farmer went back to his own country."
    )
    found = [one.text for one in bearing(text, "Who is Hank the farmer?", 2)]
    assert found == ["Hank the farmer came from the far north.", "Nobody knew the farmer when Hank came in here."]
    assert [one.text for one in bearing(text, "Who is Hank the farmer?", 9)] == found  # less than half is not enough
    assert bearing(text, "What is the code of the cellar?", 5) == []
    assert bearing(text, "How does it end?", 5) == []


def test_what_is_meant_is_said_plainly(collection, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InfinidocError, match=r"log.txt means 2 documents .*north/log.txt, south/log.txt"):
        WholeDocuments(collection, ["log.txt"])
    with pytest.raises(InfinidocError, match="north is a directory"):
        WholeDocuments(collection, ["north"])
    with pytest.raises(InfinidocError, match=r"no document nothing\.txt"):
        WholeDocuments(collection, ["nothing.txt"])
    with pytest.raises(InfinidocError, match="can't read whole documents"):
        WholeDocuments(collection, ["other.txt"], reader="http://localhost:9/v1#model")
    assert len(WholeDocuments(collection, ["*/log.txt"]).documents) == 2
    with pytest.raises(InfinidocError, match="empty"):
        WholeDocuments(collection, ["other.txt"]).ask(" ")


def test_files_that_are_in_no_collection_are_held_for_as_long_as_needed(collection, tmp_path, tiny, monkeypatch):
    monkeypatch.setenv("INFINIDOC_MODEL", str(tiny))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.txt").write_text(text_of(20, seed=6))
    with holding(collection, ["other.txt"]) as held:
        assert held is collection
    with holding(collection, ["new.txt"]) as held:
        directory = held.directory
        assert [document.path for document in held.documents()] == [str(tmp_path / "new.txt")]
        assert WholeDocuments(held, ["new.txt"]).summarize().answered
    assert not directory.exists()
    assert len(collection.documents()) == 3
    (tmp_path / "empty.txt").write_text("")
    for name, reason in (
        ("empty.txt", r"empty.txt can't be read \(empty\)"),
        ("gone.txt", "no document gone.txt"),
        ("north", "north is a directory"),
    ):
        for given in (collection, None):
            with pytest.raises(InfinidocError, match=reason), holding(given, [name]):
                pass


def test_a_memory_lifts_what_it_has_read(collection):
    """The tiny model is random: that the two readings differ, and that nothing is lost, is all that shows."""
    base, (document,) = collection.load(), collection.find("other.txt")
    memory = read_documents(collection.store, base, [document])
    before = memory.tensors()
    texts = ["The Amalia carries 12 tons of wine.", "Salt.", "A much longer sentence about nothing that stands there."]
    alone = [lift(base, base.encode("What?"), memory, [text])[0] for text in texts]
    assert lift(base, base.encode("What?"), memory, texts) == pytest.approx(alone, abs=1e-4)
    assert all(value != 0 for value in alone)
    assert all((memory.tensors()[name] == tensor).all() for name, tensor in before.items())


def test_proposed_are_the_sentences_that_have_the_commonest_words():
    text = (
        "The harbour keeps a long list of every ship there. A gull sat quietly on some old wooden post. "
        "Every ship in the harbour pays its own way. The harbour master lists each ship by its proper name."
    )
    (best,) = proposed(text, [(0, len(text))])
    assert [text[one.start : one.end] for one in best] == [one.text for one in best]
    assert not any(one.text.startswith("A gull") for one in best)
    assert proposed(text, [(0, len(text))], "What does the gull on the wooden post do?")[0][0].text.startswith("A gull")


def test_stretches_cover_a_document_in_about_equal_parts():
    rows = [PassageRow(10 * i, 10 * i + 9, "", 0, 100) for i in range(10)]
    assert stretches(rows, 3) == [(0, 39), (40, 69), (70, 99)]
    assert stretches(rows[:2], 8) == [(0, 9), (10, 19)]
    assert stretches([], 8) == []


def test_what_repeats_itself_is_noticed():
    assert not repeats(list(range(50)))
    assert repeats([9, *range(8), 7, 7, *range(8)])
    assert not repeats([1, 1, 1, 1])
    assert repeats([1] * 16)


@pytest.mark.parametrize(
    ("question", "wide"),
    [
        ("What is the plot of the story?", True),
        ("Summarize the whole meeting.", True),
        ("What are the main points?", True),
        ("Worum geht es in diesem Buch?", True),
        ("Who wrote the minutes?", False),
        ("How does it end?", False),
        ("Where was the plotter sent?", False),
    ],
)
def test_what_is_asked_of_the_whole(question, wide):
    assert bool(WIDE.search(question)) == wide


def test_what_is_to_be_counted():
    for question, words in (
        ("How often is wine mentioned?", "wine"),
        ("how many times does the word salt occur in the log", "salt"),
        ("How many times is Ben Curtis named?", "Ben Curtis"),
    ):
        assert TIMES.fullmatch(question)["words"] == words
    assert TIMES.fullmatch("How often does the boat leave?") is None
