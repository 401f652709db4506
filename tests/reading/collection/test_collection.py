"""Finding, changes by others, threads, and what happens when the collection or the model isn't the right one."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.reading.collection import TOP, Collection
from tests.tiny import tiny_model


def test_a_removed_or_replaced_document_is_never_cited_again(collection, docs):
    question = "The Amalia carries 800 tons of wine."
    everything = {s.document for s in collection.ask(question, top=50, max_tokens=1).sources}
    assert {"docs/log-03.txt", "docs/log-04.txt"} <= everything
    collection.remove(collection.find("log-03.txt"))
    (docs / "log-04.txt").write_text("Only this line.")
    collection.ingest([docs / "log-04.txt"])
    sources = collection.ask(question, top=50, max_tokens=1).sources
    assert "docs/log-03.txt" not in {source.document for source in sources}
    assert [source.text for source in sources if source.document == "docs/log-04.txt"] == ["Only this line."]


def test_another_process_s_changes_are_seen(collection, docs, tiny):
    collection.ask("Which ship?", max_tokens=1)
    with Collection.open() as other:
        other.remove(other.find("log-00.txt"))
    sources = collection.ask("Which ship?", top=50, max_tokens=1).sources
    assert "docs/log-00.txt" not in {source.document for source in sources}


def test_every_question_is_logged(collection):
    collection.ask("Which ship carries salt?", max_tokens=2)
    collection.ask("Which ship sank?", max_tokens=2, memory_only=True)
    newest, oldest = collection.log()
    assert (newest.answer.question, newest.answer.memory_only) == ("Which ship sank?", True)
    assert oldest.answer.sources[0].document.startswith("docs/log-")
    assert oldest.answer.timings["total"] > 0
    assert oldest.model == collection.load().name


def test_mistakes_get_a_clear_line(collection, docs, tmp_path):
    with pytest.raises(InfinidocError, match="question is empty"):
        collection.ask("  \n ")
    with pytest.raises(InfinidocError, match="no collection nope"):
        Collection.open("nope", create=False)
    with pytest.raises(InfinidocError, match="no collection"):
        Collection.open("nope").ask("Is anybody there?")
    other = tiny_model(tmp_path / "other", seed=5)
    with Collection.open(model=str(other), memory=True) as wrong:
        for call in (lambda: wrong.ask("Which ship?"), lambda: wrong.ingest([docs])):
            with pytest.raises(InfinidocError, match="was read with the model"):
                call()


def test_the_model_of_the_environment_is_that_of_new_collections(collection, tiny, docs, tmp_path, monkeypatch):
    other = tiny_model(tmp_path / "other", seed=5)
    monkeypatch.setenv("INFINIDOC_MODEL", str(other))
    with Collection.open() as there:
        assert there.ask("Which ship?").sources
    with Collection.open("new") as new:
        assert new.model == str(other)


def test_a_model_that_was_moved_is_found_by_the_environment(docs, tmp_path, monkeypatch):
    model = tiny_model(tmp_path / "model", seed=5)
    with Collection.open("moved", model=str(model)) as collection:
        collection.ingest([docs])
    moved = model.rename(tmp_path / "elsewhere")
    monkeypatch.setenv("INFINIDOC_MODEL", str(moved))
    with Collection.open("moved") as collection:
        assert collection.search("Which ship?")


def test_find_by_path_by_ending_and_by_glob(collection, docs):
    one = [d.path for d in collection.documents() if d.path.endswith("log-07.txt")]
    for name in (str(docs / "log-07.txt"), "docs/log-07.txt", "log-07.txt", "*-07.*", "docs/*7.txt"):
        assert [document.path for document in collection.find(name)] == one
    with pytest.raises(InfinidocError, match="no document og-07"):
        collection.find("og-07.txt")


def test_threads_take_turns(collection, docs):
    """A server's threads share a collection: asking, listing, ingesting and removing at once."""
    question = "What does the Amalia carry?"
    expected = [source.path for source in collection.search(question, TOP)]
    (docs / "more.txt").write_text("Nothing that anybody asks about.")

    def change():
        collection.ingest([docs / "more.txt"])
        collection.remove(collection.find("more.txt"))

    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(collection.ask, question, max_tokens=3) for _ in range(6)]
        changed, listed = pool.submit(change), pool.submit(collection.documents)
        recalled = [pool.submit(collection.search, question, TOP) for _ in range(6)]
        changed.result()
        assert len(listed.result()) >= 12
        assert len({future.result().text for future in asked}) >= 1
        assert all([source.path for source in future.result()] == expected for future in recalled)
    assert len(collection.log()) == 6
