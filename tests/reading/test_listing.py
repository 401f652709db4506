"""Questions that count or list documents are told from those that a passage answers, and are not guessed at."""

import json
import re
from pathlib import Path

import pytest

from infinidoc.documents.wording import in_any_number
from infinidoc.errors import InfinidocError
from infinidoc.reading.collection import Collection
from infinidoc.reading.conversation import Conversation
from infinidoc.reading.listing import Wanted, counts, to_list
from infinidoc.reading.scope import Scope

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

COUNTING = {
    "How many invoices from 2024?": "invoices 2024",
    "how many invoices do we have from March 2024": "invoices March 2024",
    "How many invoices were issued in 2024?": "invoices 2024",
    "How many unpaid invoices are there?": "unpaid invoices",
    "How many documents mention the boiler?": "boiler",
    "In how many documents is the boiler mentioned?": "boiler",
    'Which files contain the word "boiler"?': "boiler",
    "How many documents have the word boiler?": "boiler",
    "Which files use the term force majeure?": "force majeure",
    "Which contracts mention a penalty?": "contracts penalty",
    "Could you tell me how many of the reports mention asbestos?": "reports asbestos",
    "List all receipts from the hotel.": "receipts hotel",
    "Give me a list of all letters from Sam Pellow": "Sam Pellow",
    "What are all the documents about the roof?": "roof",
    "How many people are mentioned in these documents?": "people",
    "How many documents are there?": "",
    "Show me every document that mentions Acme": "Acme",
    "What documents do we have about the roof?": "roof",
    "Which invoices come from Acme?": "invoices Acme",
    "how many invoices 2024": "invoices 2024",
    "In welchen Dokumenten kommt Acme vor?": "Acme",
    "number of contracts with Hollis": "contracts Hollis",
    "Wie viele Rechnungen gibt es aus 2024?": "Rechnungen 2024",
    "Welche Dokumente erwähnen den Kessel?": "Kessel",
    "Combien de factures de 2024 ?": "factures 2024",
    "¿Cuántas facturas de 2024?": "facturas 2024",
    "Quali documenti menzionano la caldaia?": "caldaia",
}
OF_PASSAGES = """How many letters from the lugger Petrel were left at the door?
How many invoices from Acme were paid late?
How many rooms does the house have?
How many letters did Darwin write?
How many letters are in the alphabet?
How many articles does the constitution have?
How many documents were leaked by Snowden?
How many documents do I need for a visa?
How many invoices per month does the basic plan include?
How many reports about whales did she write?
How many people signed contracts in 2020?
How many pages does the report have?
Which documents are required for the application?
Which file sets the colours?
Which invoice is the largest?
In what document did he declare independence?
How many articles are there in the US constitution?
How many letters of recommendation are required?
How many files can be open at once?
List the documents needed for the visa.
List the members of the committee.
What is the invoice number?
What are the reports about?
What does the contract say about notice?
Name the author of the letter."""


@pytest.mark.parametrize(("question", "words"), COUNTING.items())
def test_what_counts_documents_is_a_search_for_its_words(question, words):
    assert counts(question) == Wanted(tuple(words.split()))


@pytest.mark.parametrize("question", OF_PASSAGES.splitlines())
def test_what_a_passage_answers_is_no_count(question):
    assert counts(question) is None


def test_no_question_of_the_benchmarks_is_a_count():
    files = [*BENCHMARKS.glob("*.jsonl"), BENCHMARKS.parent / "examples" / "questions.jsonl"]
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    questions = [
        json.loads(f'"{text}"') for line in lines for text in re.findall(r'"question": "((?:[^"\\\\]|\\\\.)*)"', line)
    ]
    assert len(questions) > 900
    assert [question for question in questions if counts(question)] == []


def test_formats_are_no_words():
    assert counts("Which emails talk about the roof?") == Wanted(("roof",), ("eml", "mbox", "msg"))
    assert counts("How many PDF files are there?") == Wanted((), ("pdf",))


def test_what_is_listed_may_be_a_phrase():
    assert to_list("invoices from 2024") == to_list("How many invoices from 2024?") == Wanted(("invoices", "2024"))
    assert to_list("documents about the roof") == to_list("the roof") == Wanted(("roof",))
    assert (to_list("all documents"), to_list("letters"), to_list("pdfs")) == (
        Wanted(()), Wanted(("letters",)), Wanted((), ("pdf",)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("invoices", "An INVOICE.", "INVOICE"),
        ("invoice", "invoices", "invoices"),
        ("penalty", "Penalties", "Penalties"),
        ("cities", "a city", "city"),
        ("boxes", "box", "box"),
        ("Rechnungen", "Rechnung_12", "Rechnung"),
        ("2024", "on 2024-03-01", "2024"),
        ("人口", "東京都の人口", "人口"),
        ("notes", "it is not so", None),
        ("contract", "control, contrast", None),
        ("2024", "20245, 12024 and 2024s", None),
        ("roof", "proof, roofing", None),
    ],
)
def test_a_word_is_found_as_one_or_several(word, text, found):
    match = in_any_number(word).search(text)
    assert (match and match[0]) == found


TEXTS = {
    "a.txt": "Invoice no. 1 for the roof.\nDated 12 March 2024.",
    "b.txt": "The roof leaks. Nobody paid the invoices of 2023.",
    "c.md": "All invoices of 2024 were paid, and the committee met again. " * 40 + "\n\nThe roof: none.",
    "2024-invoice.txt": "To be paid within thirty days.",
    "d.md": "Control of the roofing in 2025.",
}


@pytest.fixture
def collection(tiny, tmp_path):
    docs = tmp_path / "work" / "docs"
    docs.mkdir()
    for name, text in TEXTS.items():
        (docs / name).write_text(text)
    with Collection.open(model=str(tiny)) as collection:
        collection.ingest([docs])
        yield collection


def names(sources):
    return [Path(source.document).name for source in sources]


def test_documents_with_all_words_in_text_or_name_are_listed_by_path(collection):
    found = collection.listing("invoices from 2024")
    assert names(found.documents) == ["2024-invoice.txt", "a.txt", "c.md"]
    assert str(found) == '3 of 5 documents have the words "invoices" and "2024".'
    for source in found.documents:
        text = collection.store.document(source.id).text
        assert text[source.start : source.end] == source.text
        assert {source.text[start:end].lower() for start, end in source.marks} <= {"invoice", "invoices", "2024"}
    assert "Invoice" in found.documents[1].text
    roof = collection.listing("the roof").documents
    assert names(roof) == ["a.txt", "b.txt", "c.md"]
    assert all("roof" in source.text for source in roof)


def test_only_a_scope_is_listed_and_what_is_not_there_is_said(collection):
    assert names(collection.listing("invoices", Scope(kinds=("md",))).documents) == ["c.md"]
    none = collection.listing("zebra", Scope(kinds=("md",)))
    assert (none.documents, str(none)) == ([], 'None of 2 documents has the word "zebra".')
    assert str(collection.listing("all documents")) == "5 of 5 documents are here."
    assert str(collection.listing("How many PDFs are there?")) == "None of 5 documents is pdf."
    for text, scope in (("", Scope()), ("roof", Scope(within=("attic",)))):
        with pytest.raises(InfinidocError):
            collection.listing(text, scope)


def test_ask_counts_and_asks_no_reader(collection, monkeypatch):
    monkeypatch.setattr(Collection, "load", lambda *_, **__: pytest.fail("a count needs no model"))
    heard = []
    answer = collection.ask("How many invoices from 2024?", top=2, on_text=heard.append)
    assert answer.text == "".join(heard) == '3 of 5 documents have the words "invoices" and "2024".'
    assert (answer.answered, answer.counted, answer.reader, answer.quotes) == (True, 3, "", [])
    assert names(answer.sources) == ["2024-invoice.txt", "a.txt"]
    none = Conversation(collection).ask("Which documents mention zebras?")
    assert (none.answered, none.counted, none.sources) == (False, 0, [])
    assert [one.answer.text for one in collection.log()] == [none.text, answer.text]


def test_any_other_question_is_read_as_before(collection):
    assert collection.ask("How many rooms does the house have?", max_tokens=2).counted is None
