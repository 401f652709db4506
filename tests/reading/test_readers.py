"""Which reader answers a question, and what happens when it doesn't."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.model import adapters
from infinidoc.reading import answering, asking, phrases
from infinidoc.reading.answers import Unanswered
from infinidoc.reading.collection import Collection
from infinidoc.reading.readers import choice
from infinidoc.reading.readers.local import LocalReader
from tests.reading.library import write_library
from tests.reading.servers import event, reply, serving, stream
from tests.tiny import tiny_model

QUESTION = "Which ship carries salt?"


@pytest.fixture
def collection(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "WORTH_READING", -float("inf"))  # a random model can't tell
    with Collection.open(model=str(tiny), memory=True) as collection:
        collection.ingest([write_library(tmp_path / "work" / "docs", count=4)])
        collection.head.__dict__["threshold"] = -2.0
        yield collection


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another base model, of another family."""
    return tiny_model(tmp_path_factory.mktemp("other"), "qwen2", seed=4, tie_word_embeddings=False)


def test_the_collection_s_own_model_answers_and_nothing_leaves(collection, tiny):
    with serving(stream("elsewhere")) as server:
        choice.use(server.name)  # a choice that the command line keeps is not the library's
        answer = collection.ask(QUESTION, max_tokens=4)
        assert server.asked == []
    assert answer.reader == str(tiny)
    assert answer.to_dict()["reader"] == str(tiny)


def test_an_endpoint_gets_the_question_and_the_passages_and_no_more(collection):
    pieces = []
    with serving(stream("the ", "Amalia", event(None, "stop"))) as server:
        answer = collection.ask(QUESTION, top=2, on_text=pieces.append, reader=server.name)
    assert (answer.text, answer.answered, answer.reader) == ("the Amalia", True, server.name)
    assert pieces == ["the ", "Amalia"]
    assert 0 < answer.timings["recall"] <= answer.timings["first_token"] <= answer.timings["total"]
    ((_, body),) = server.asked
    told = body["messages"][1]["content"]
    assert QUESTION in told
    assert len(answer.sources) == 2
    for source in answer.sources:
        assert all(f"> {line}" in told for line in source.text.splitlines())
        assert source.document in told
    assert str(collection.directory) not in str(body)
    assert collection.log()[0].model == server.name


@pytest.mark.parametrize("said", ["the Amalia", "Yes"])  # for a mere yes the addresses are looked at once more
def test_nobody_waits_while_an_endpoint_reads(collection, said):
    """Not even a thread that takes the very passages away."""
    reached, released = threading.Event(), threading.Event()

    def slow(connection):
        reached.set()
        assert released.wait(60)
        stream(said, event(None, "stop"))(connection)

    with serving(slow) as server, ThreadPoolExecutor(2) as pool:
        try:
            asked = pool.submit(collection.ask, QUESTION, top=2, reader=server.name)
            assert reached.wait(60)
            assert pool.submit(collection.search, QUESTION).result(60)
            assert len(pool.submit(collection.documents).result(60)) == 4
            pool.submit(lambda: collection.remove(collection.documents())).result(60)
            assert not asked.done()
        finally:
            released.set()
        answer = asked.result(60)
    assert (answer.text, len(answer.sources)) == (said, 2)
    (logged,) = collection.log()
    assert (logged.answer.text, logged.answer.sources) == ("", [])


def test_a_model_of_this_machine_reads_alone(collection, monkeypatch):
    """Two at once would share its weights, and the cores."""
    reached, released = threading.Event(), threading.Event()
    read = LocalReader.read

    def slow(self, *args):
        reached.set()
        assert released.wait(60)
        return read(self, *args)

    monkeypatch.setattr(LocalReader, "read", slow)
    with ThreadPoolExecutor(2) as pool:
        try:
            asked = pool.submit(collection.ask, QUESTION, max_tokens=3)
            assert reached.wait(60)
            listed = pool.submit(collection.documents)
            with pytest.raises(TimeoutError):
                listed.result(0.2)
        finally:
            released.set()
        assert asked.result(60).sources
        assert len(listed.result(60)) == 4


def test_an_endpoint_may_refuse(collection):
    with serving(stream("Not in these documents.")) as server:
        answer = collection.ask(QUESTION, reader=server.name)
    assert not answer.answered
    assert answer.sources


def test_an_endpoint_that_says_nothing_is_said_so(collection):
    with serving(stream("")) as server:
        assert collection.ask(QUESTION, reader=server.name).text == phrases.NO_ANSWER


def test_where_nothing_bears_on_the_question_nothing_is_sent(collection):
    collection.head.__dict__["threshold"] = 1.1
    with serving(stream("the Amalia")) as server:
        answer = collection.ask(QUESTION, reader=server.name)
    assert (answer.text, answer.reader) == (phrases.NOTHING, "")
    assert server.asked == []


def test_a_reader_that_fails_leaves_the_sources(collection):
    with serving(reply("{}", "500 Oh")) as server, pytest.raises(Unanswered, match=r"failed \(500") as caught:
        collection.ask(QUESTION, top=3, reader=server.name)
    assert [source.text for source in caught.value.sources] == [s.text for s in collection.search(QUESTION, top=3)]
    assert collection.log() == []


def test_another_base_model_reads_without_the_memory(collection, other, monkeypatch):
    seen = []

    def generate(base, ids, state, max_tokens, on_text):
        seen.append((base, state))
        on_text("salt")
        return "salt"

    monkeypatch.setattr(answering, "generate", generate)
    answer = collection.ask(QUESTION, reader=str(other))
    collection.ask(QUESTION)
    assert answer.reader == str(other)
    (base, state), (own, memory) = seen
    assert (base.name, own.name) == (str(other), collection.load().name)
    assert state is None
    assert memory is not None
    assert collection.reader(str(other)) is collection.reader(str(other))  # loaded once


def test_another_base_model_answers(collection, other):
    pieces = []
    answer = collection.ask(QUESTION, max_tokens=6, on_text=pieces.append, reader=str(other))
    assert answer.text == "".join(pieces).strip()
    assert answer.text != collection.ask(QUESTION, max_tokens=6).text


@pytest.mark.parametrize(("reader_layer", "part"), [(None, "attach_adapter"), (0, "attach_reader")])
def test_another_base_model_has_the_adapter_that_was_chosen_for_it(collection, other, monkeypatch, reader_layer, part):
    attached = []
    card = SimpleNamespace(reader_layer=reader_layer, tensors={"layers.0": None})
    monkeypatch.setattr(adapters, "choose", lambda digest, name=None: card)
    monkeypatch.setattr(adapters, "load", lambda found: found)
    monkeypatch.setattr(adapters, part, lambda base, adapter: attached.append((base.name, adapter)))
    assert isinstance(collection.reader(str(other)), LocalReader)
    assert attached == [(str(other), card)]


def test_mistakes_get_a_clear_line(collection):
    with pytest.raises(InfinidocError, match=r"^no reader nobody: own, a base model, or an address such as http"):
        collection.ask(QUESTION, reader="nobody")
    with pytest.raises(InfinidocError, match="names no model"):
        collection.ask(QUESTION, reader="http://localhost:1/v1")
    with pytest.raises(InfinidocError, match=r"^only a collection's own model reads its memory: ask without --reader$"):
        collection.ask(QUESTION, memory_only=True, reader="http://localhost:1/v1#m")


def test_a_choice_is_kept(home):
    assert choice.chosen() == "own"
    choice.use("http://localhost:1/v1#m")
    assert choice.chosen() == "http://localhost:1/v1#m"
    choice.use("own")
    assert choice.chosen() == "own"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"reader": 7}', "nonsense"])
def test_a_damaged_choice_is_none(home, content):
    (home / "reader.json").write_text(content)
    assert choice.chosen() == "own"
