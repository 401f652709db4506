"""The RAG pipeline: incremental ingest, the budget of tokens, and the same prompt as everybody else's."""

import pytest

from infinidoc.baselines import rag as module
from infinidoc.baselines.rag import Rag
from infinidoc.errors import InfinidocError
from infinidoc.model import loading
from infinidoc.reading import answering, phrases
from tests.baselines.test_index import Letters
from tests.reading.library import write_library


@pytest.fixture(scope="module")
def base(tiny):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("INFINIDOC_MODEL", raising=False)
        return loading.load(str(tiny))[0]


@pytest.fixture
def docs(tmp_path):
    return write_library(tmp_path / "work" / "docs", count=5, longest=12)


@pytest.fixture
def rag(base, docs, tmp_path):
    with Rag(tmp_path / "index", base, "hybrid", Letters(), chunk_tokens=60, overlap_tokens=15) as rag:
        rag.ingest([docs])
        yield rag


def test_ingest_reads_only_what_is_new_and_drops_what_is_gone(rag, docs):
    before = len(rag.embed.embedded)
    again = rag.ingest([docs])
    assert (again.added, again.replaced, again.unchanged, again.removed) == (0, 0, 5, 0)
    assert len(rag.embed.embedded) == before
    (docs / "log-00.txt").write_text("The Zenobia carries marble.")
    (docs / "log-01.txt").unlink()
    (docs / "new.txt").write_text("The Yolanda carries amber.")
    (docs / "empty.txt").write_text("")
    changed = rag.ingest([docs])
    assert (changed.added, changed.replaced, changed.unchanged, changed.removed) == (1, 1, 3, 1)
    assert [skipped.name for skipped in changed.skipped] == ["docs/empty.txt"]
    assert len(rag.embed.embedded) == before + 2
    assert rag.search("Who carries marble?", 1)[0].document == "docs/log-00.txt"
    assert rag.search("amber", 1)[0].document == "docs/new.txt"
    assert "docs/log-01.txt" not in {source.document for source in rag.search("carries tons", 100)}


def test_the_prompt_is_the_one_that_recall_fills_and_no_memory_stands_behind(rag, base, monkeypatch):
    seen = {}

    def spy(base, ids, state, max_tokens, on_text):
        seen.update(ids=list(ids), state=state)
        on_text("salt")
        return "salt"

    monkeypatch.setattr(answering, "generate", spy)
    pieces = []
    answer = rag.ask("Which ship carries salt?", depth=2, on_text=pieces.append)
    assert seen["state"] is None
    shown = [(answering.titled(source.document, source.place), source.text) for source in answer.sources]
    assert seen["ids"] == answering.prompt(base, "Which ship carries salt?", shown)
    assert (answer.text, pieces, len(answer.sources)) == ("salt", ["salt"], 2)
    assert 0 < answer.timings["recall"] <= answer.timings["first_token"] <= answer.timings["total"]


def test_passages_stay_within_the_budget(rag, base):
    sources = rag.search("Which ship carries tons of salt?", 20)
    whole = [len(base.encode(source.text)) for source in sources]
    assert sum(whole) > 200
    for budget in (200, whole[0], whole[0] + module.SHORTEST + 5):
        kept = rag.within(budget, sources)
        assert sum(len(base.encode(source.text)) for source in kept) <= budget
        assert [source.text for source in kept[:-1]] == [source.text for source in sources[: len(kept) - 1]]
        assert sources[len(kept) - 1].text.startswith(kept[-1].text)
    assert len(rag.within(whole[0], sources)) == 1
    assert len(rag.within(whole[0] + 1, sources)) == 1  # a token of the second isn't worth reading
    assert rag.within(10**6, sources) == sources


def test_what_a_reader_does_not_say_is_said_for_it(rag, monkeypatch):
    monkeypatch.setattr(answering, "generate", lambda *_: "")
    answer = rag.ask("Which ship?")
    assert answer.text == phrases.NO_ANSWER
    assert answer.answered


def test_an_empty_index_is_named(base, tmp_path):
    with Rag(tmp_path / "empty", base, "bm25") as rag, pytest.raises(InfinidocError, match="index is empty"):
        rag.ask("Which ship?")


def test_an_interrupted_ingest_goes_on_where_it_stopped(base, docs, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH_CHUNKS", 1)

    class Breaks(Letters):
        def __call__(self, texts, question=False):
            if len(self.embedded) > 4:
                raise KeyboardInterrupt
            return super().__call__(texts, question)

    with Rag(tmp_path / "i", base, "dense", Breaks(), 60, 15) as rag, pytest.raises(KeyboardInterrupt):
        rag.ingest([docs])
    with Rag(tmp_path / "i", base, "dense", Letters(), 60, 15) as rag:
        summary = rag.ingest([docs])
        assert summary.unchanged > 0
        assert summary.added > 0
        assert summary.unchanged + summary.added == 5
        assert summary.collection["documents"] == 5
