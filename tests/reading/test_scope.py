"""Only documents in a scope are searched, exactly: by path, by format, by day, with and without an index."""

import os
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from infinidoc.errors import InfinidocError
from infinidoc.reading import approximate, search
from infinidoc.reading.collection import Collection
from infinidoc.reading.conversation import Conversation
from infinidoc.reading.scope import EVERYWHERE, Scope, day
from tests.reading.library import write_library

QUESTION = "Which ship carries 12 tons of salt?"
OLD = datetime(2021, 5, 31, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def docs(tmp_path):
    """Twelve logs of ships: a third in each of `docs`, `docs/old` (of 2021, as Markdown) and `docs/old/deep`."""
    folder = write_library(tmp_path / "work" / "docs")
    (folder / "old" / "deep").mkdir(parents=True)
    for number, file in enumerate(sorted(folder.glob("*.txt"))):
        if number % 3 == 1:
            moved = file.rename(folder / "old" / f"{file.stem}.md")
            os.utime(moved, (OLD, OLD))
        elif number % 3 == 2:
            file.rename(folder / "old" / "deep" / file.name)
    return folder


@pytest.fixture
def collection(docs, tiny):
    with Collection.open(model=str(tiny), memory=True) as collection:
        collection.ingest([docs])
        yield collection


def names(collection, **scope):
    """The documents of which passages are found, all there are."""
    return {source.document for source in collection.search(QUESTION, 500, Scope(**scope))}


def in_(folder, pattern):
    return {str(path.relative_to(Path.cwd())) for path in folder.glob(pattern) if path.is_file()}


def test_patterns_mean_what_they_mean_in_gitignore(collection, docs):
    everything = in_(docs, "**/*")
    assert names(collection) == everything
    assert names(collection, within=("old",)) == names(collection, within=("docs/old/",)) == in_(docs, "old/**/*")
    assert names(collection, within=("*.md",)) == in_(docs, "old/*.md")
    assert names(collection, within=("docs/*.txt",)) == in_(docs, "*.txt")
    assert names(collection, within=("*.md", "deep")) == in_(docs, "old/*.md") | in_(docs, "old/deep/*")
    assert names(collection, within=("docs", "!deep")) == everything - in_(docs, "old/deep/*")


def test_places_on_the_disk_are_patterns_too(collection, docs, monkeypatch):
    deep = in_(docs, "old/deep/*")
    assert names(collection, within=("./docs/old/deep",)) == names(collection, within=(f"{docs}/old/deep/",)) == deep
    assert names(collection, within=(".",)) == in_(docs, "**/*")
    there = {str(docs.parent / name) for name in deep}
    monkeypatch.chdir(docs / "old")
    assert names(collection, within=("deep/*",)) == {"deep/" + Path(name).name for name in deep}
    assert names(collection, within=("../old/deep",)) == names(collection, within=("docs/old/deep",))
    elsewhere = docs.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert names(collection, within=("docs/old/deep/*",)) == there  # in its project, shown in full


def test_the_path_of_a_file_is_no_pattern(collection, docs):
    for name in ("[draft] 1.txt", "!important.txt", "#7.txt", "what?*.txt"):
        (docs / name).write_text(f"The Zenobia carries amber: {name}")
        collection.ingest([docs / name])
        for path in (f"docs/{name}", f"./docs/{name}", str(docs / name)):
            assert names(collection, within=(path,)) == {f"docs/{name}"}, path


def test_of_a_named_collection_any_folder_above_a_document_counts(docs, tiny, monkeypatch, tmp_path):
    with Collection.open("ships", model=str(tiny)) as collection:
        collection.ingest([docs])
        (tmp_path / "away").mkdir()
        monkeypatch.chdir(tmp_path / "away")
        deep = {str(path) for path in (docs / "old" / "deep").glob("*")}
        for pattern in ("old/deep", "docs/old/deep/*.txt", f"{docs}/old/deep", "deep/"):
            assert names(collection, within=(pattern,)) == deep, pattern


def test_the_best_passages_of_a_scope_are_those_that_are_best_of_all(collection):
    everything = collection.search(QUESTION, 500)
    scope = Scope(within=("old",), kinds=("txt",))
    inside = [source for source in everything if "old/deep" in source.document]
    assert 3 < len(inside) < len(everything)
    assert collection.search(QUESTION, 3, scope) == inside[:3]


def test_formats_and_days(collection, docs):
    assert names(collection, kinds=("md",)) == names(collection, kinds=(".MD",)) == in_(docs, "old/*.md")
    assert names(collection, kinds=("md", "txt")) == in_(docs, "**/*")
    assert names(collection, since=date(2021, 6, 2)) == in_(docs, "**/*.txt")
    assert names(collection, since=date(2021, 5, 30)) == in_(docs, "**/*")


def test_what_has_no_document_in_it_is_said_with_what_there_is(collection):
    for scope, what in (
        (
            Scope(within=("nowhere/*",)),
            r"no document matches nowhere/\*: they lie in docs \(4\), docs/old \(4\), docs/old/deep",
        ),
        (Scope(kinds=("pdf",)), r"no document of type pdf in this collection: its types are txt \(8\), md \(4\)"),
        (Scope(since=date(2200, 1, 1)), "no document was changed since 2200-01-01: the latest on"),
        (Scope(within=("old/*.md",), kinds=("txt",)), "no document matches"),
        (Scope(within=("!",)), "can't understand"),
    ):
        with pytest.raises(InfinidocError, match=what):
            collection.search(QUESTION, 5, scope)
        with pytest.raises(InfinidocError, match=what):
            collection.ask(QUESTION, scope=scope)


def test_days_are_read_from_the_year_on_and_nothing_else_is():
    assert [day("2024-05-31"), day(" 2024-05 "), day("2024")] == [date(2024, 5, 31), date(2024, 5, 1), date(2024, 1, 1)]
    for wrong in ("", "yesterday", "2024-13", "31.5.2024", "2023-02-29", "\x1b[1m"):
        with pytest.raises(InfinidocError, match="no date"):
            day(wrong)


def test_a_copy_is_shown_where_it_is_in_scope(collection, docs):
    original = next((docs / "old").glob("*.md"))
    (docs / "copies").mkdir()
    (docs / "copies" / "copy.txt").write_bytes(original.read_bytes())
    collection.ingest([docs])
    assert names(collection, within=("copies",)) == {"docs/copies/copy.txt"}
    (found, *_) = collection.search(QUESTION, 1, Scope(within=("copies",)))
    assert found.also_in == (str(original.relative_to(Path.cwd())),)


def test_answers_are_read_from_the_scope_only(collection, docs, monkeypatch):
    monkeypatch.setattr(
        type(collection), "head", property(lambda self, head=Collection.head.fget: _lenient(head(self)))
    )
    answer = collection.ask(QUESTION, scope=Scope(within=("deep",)))
    assert {source.document for source in answer.sources} <= in_(docs, "old/deep/*")
    assert answer.sources
    told = Conversation(collection).ask(QUESTION, scope=Scope(kinds=("md",)))
    assert {source.document for source in told.sources} <= in_(docs, "old/*.md")
    with pytest.raises(InfinidocError, match="of all documents"):
        collection.ask(QUESTION, memory_only=True, scope=Scope(kinds=("md",)))


def _lenient(head):
    head.__dict__["threshold"] = -2.0
    return head


def test_a_document_that_comes_or_goes_is_in_its_scope_or_not(collection, docs):
    (docs / "old" / "new.md").write_text("The Kunigunde carries 12 tons of salt.")
    scope = Scope(within=("docs/old/*.md",))
    before = collection.search(QUESTION, 500, scope)
    collection.ingest([docs])
    assert {s.document for s in collection.search(QUESTION, 500, scope)} == in_(docs, "old/*.md")
    collection.remove(collection.find("new.md"))
    assert collection.search(QUESTION, 500, scope) == before


@pytest.mark.parametrize("exact", [1_000_000, 10])
def test_with_an_index_the_same_documents_are_searched(collection, docs, monkeypatch, exact):
    scopes = [Scope(within=("deep",)), Scope(kinds=("md",)), EVERYWHERE]
    wanted = [collection.search(QUESTION, 5, scope) for scope in scopes]
    monkeypatch.setattr(approximate, "CODE", "SQ8")
    monkeypatch.setattr(approximate, "EXACT_TOKENS", 10)
    (docs / "old" / "deep" / "late.txt").write_text("Nobody knows.")
    collection.ingest([docs])
    assert collection.store.index is not None
    (docs / "old" / "deep" / "later.txt").write_text("The Kunigunde carries 12 tons of salt.")
    monkeypatch.setattr(approximate, "EXACT_TOKENS", 1_000_000)
    collection.ingest([docs])
    monkeypatch.setattr(search, "EXACT_TOKENS", exact)  # above it the index proposes, also within a scope
    assert collection.store.indexed_until
    for scope, before in zip(scopes[1:], wanted[1:], strict=True):
        assert [s.text for s in collection.search(QUESTION, 500, scope)][:5] != []
        found = collection.search(QUESTION, 5, scope)
        assert {s.document for s in found} <= names(collection, within=scope.within, kinds=scope.kinds)
        if scope != EVERYWHERE:
            assert found == before
    found = collection.search(QUESTION, 500, scopes[0])
    assert {s.document for s in found} <= in_(docs, "old/deep/*")
    assert "docs/old/deep/later.txt" in {s.document for s in found}


def test_sources_say_where_their_text_and_the_words_asked_for_stand(collection):
    for source in collection.search("Which wines, and how many a ton, were with the AMALIA?", 50):
        text = collection.store.document(source.id).text
        assert text[source.start : source.end] == source.text
        words = [source.text[start:end] for start, end in source.marks]
        assert words == re.findall("wine|Amalia|tons", source.text)
