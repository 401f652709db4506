"""`infinidoc search`, and where `ask`, `search` and `chat` look; sources are links on a terminal only."""

import json
import os
import sys

import pytest

from infinidoc.cli.sources import excerpt, link_to
from infinidoc.reading.collection import Collection
from tests.cli.test_render import on_a_terminal

SHOW = """
import sys
from infinidoc.cli.sources import print_passages
from infinidoc.reading.answers import Source
path, place, text = sys.argv[1:]
print_passages([Source("shown.pdf", path, place, 0.5, text, marks=((4, 7),))], 400)
"""


@pytest.fixture
def notes(filled, docs):
    (docs / "notes.md").write_text("The Kunigunde was painted red.\n")
    assert filled("ingest", "docs")[0] == 0
    return filled


def test_passages_come_best_first_with_place_and_score_and_nothing_is_logged(filled, docs):
    code, out, err = filled("search", "Which ship carries salt?", "--top", "2")
    assert code == 0
    first, second = (line for line in out.splitlines() if line[:1].isdigit())
    assert first.startswith("1. docs/log-0")
    assert second.startswith("2. docs/log-0")
    assert float(first.split()[-1]) >= float(second.split()[-1])
    assert ", line " in first
    assert "\x1b" not in out + err
    assert "1 question searched for in" in err
    assert json.loads(filled("log", "--json")[1]) == {"log": []} or filled("log")[1] == ""


def test_json_has_the_offsets_of_marks_and_of_the_passage(filled, docs):
    (docs.parent / "questions.txt").write_text("Which wines?\n\nHow many tons?\n")
    code, out, err = filled("search", "--file", "questions.txt", "-", "--json", "--top", "50", stdin="salt\n")
    found = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [one["question"] for one in found] == ["salt", "Which wines?", "How many tons?"]
    for one, word in zip(found, ("salt", "wine", "tons"), strict=True):
        assert one["passages"]
        for passage in one["passages"]:
            text = (docs.parent / passage["document"]).read_text()
            assert text[passage["start"] : passage["end"]] == passage["text"]
            marked = [passage["text"][start:end] for start, end in passage["marks"]]
            assert marked == [word] * passage["text"].count(word)


def test_only_documents_in_scope_are_searched_by_each_command(notes):
    for scope in (("--in", "*.md"), ("--in", "docs/notes.*"), ("--type", "md"), ("--in", "docs", "--in", "!log-*")):
        found = json.loads(notes("search", "Which ship?", "--json", *scope)[1])["passages"]
        assert [passage["document"] for passage in found] == ["docs/notes.md"]
        answer = json.loads(notes("ask", "Which ship?", "--json", "--max-tokens", "2", *scope)[1])
        assert [source["document"] for source in answer["sources"]] == ["docs/notes.md"]
        chat = notes("chat", "--max-tokens", "2", *scope, stdin="Which ship?\n")[1]
        assert "docs/notes.md" in chat
        assert "docs/log" not in chat


def test_since_is_the_day_on_which_the_file_was_changed(filled, docs):
    old = docs / "old.txt"
    old.write_text("The Kunigunde was painted red.\n")
    os.utime(old, (1e9, 1e9))  # in September 2001
    assert filled("ingest", "docs")[0] == 0

    def documents(since):
        return {p["document"] for p in json.loads(filled("search", "red?", "--json", "--since", since)[1])["passages"]}

    assert "docs/old.txt" in documents("2001")
    assert "docs/old.txt" not in documents("2002-01")
    assert documents("2002-01") == documents("2001") - {"docs/old.txt"} != set()


def test_what_can_not_be_searched_is_one_line(notes):
    for arguments, said in (
        (("search",), "no question"),
        (("search", "  "), "no question"),
        (("search", "red?", "--in", "attic/*"), "no document matches attic/*: they lie in docs (4)"),
        (("ask", "red?", "--type", "pdf"), "no document of type pdf in this collection: its types are txt (3), md (1)"),
        (("ask", "red?", "--since", "yesterday"), "'yesterday' is no date: write it as 2024-05-31, 2024-05 or 2024"),
        (("chat", "--since", "2100"), "no document was changed since 2100-01-01"),
        (("search", "red?", "--since", ""), "'' is no date"),
        (("search", "red?", "--in", "\x1b[31m"), "no document matches \\x1b[31m"),
        (("search", "x" * 20_000), "the question is too long"),
        (("search", "red?", "-c", "nowhere"), "there is no collection"),
    ):
        code, out, err = notes(*arguments)
        assert (code, out) == (1, "")
        assert [line for line in err.splitlines() if "searched for" not in line] == [err.splitlines()[0]]
        assert err.startswith(f"infinidoc: {said}"), err


def test_one_bad_question_does_not_lose_the_others(filled):
    code, out, _ = filled("search", "x" * 20_000, "salt", "--json", "--top", "1")
    bad, good = map(json.loads, out.splitlines())
    assert code == 1
    assert "too long" in bad["error"]
    assert len(good["passages"]) == 1
    code, out, err = filled("search", "x" * 20_000)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1  # and nothing of a question that was searched for


def test_a_link_opens_the_file_at_its_page_and_no_name_steers_the_terminal():
    shown = on_a_terminal(SHOW, "/a b/ü;\x07\x1b]8;;x.PDF", "page 12", "one two\nthree\x1b[2J")
    assert ";file:///a%20b/%C3%BC%3B%07%1B%5D8%3B%3Bx.PDF#page=12\x1b\\" in shown
    assert "shown.pdf, page 12" in shown
    assert "\x1b[1;4mtwo\x1b[0m" in shown
    assert "\x1b[2J" not in shown
    assert "\x07" not in shown


def test_without_colours_there_are_no_links(monkeypatch, capsys):
    arguments = ("/a.pdf", "page 1", "one two")
    for variable, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        code = f"import os\nos.environ[{variable!r}] = {value!r}\n" + SHOW
        assert "\x1b" not in on_a_terminal(code, *arguments)
    monkeypatch.setattr(sys, "argv", ["-", *arguments])
    exec(SHOW, {})
    assert capsys.readouterr().out == "1. shown.pdf, page 1  0.50\n   one two\n"


def test_only_files_are_linked_and_only_a_pdf_has_pages():
    assert link_to("/a.pdf", "page 3") == "file:///a.pdf#page=3"
    assert link_to("/a.pdf", "page ٣\x1b") == link_to("/a.pdf", "page 3x") == "file:///a.pdf"
    assert link_to("/a.txt", "page 3") == "file:///a.txt"
    assert link_to("stdin-1a2b3c4d", "line 1") == ""


def test_an_excerpt_begins_where_the_words_are():
    text = "It rained all day. " * 20 + "The roof leaks. The bucket is full."
    start, end = text.index("roof"), text.index("roof") + 4
    assert text[slice(*excerpt(text, [(start, end)], 60))] == "The roof leaks. The bucket is full."
    assert excerpt(text, [], 60) == excerpt(text, [(3, 9)], 60) == (0, 60)
    assert excerpt("short", [(0, 5)], 60) == (0, 5)


def test_search_attaches_neither_reader_nor_memory(filled, monkeypatch):
    asked = []
    load = Collection.load
    monkeypatch.setattr(Collection, "load", lambda self, **purpose: asked.append(purpose) or load(self, **purpose))
    assert filled("search", "salt")[0] == 0
    assert asked
    assert all(purpose == {"to_search": True} for purpose in asked)


def test_list_is_one_line_for_each_document(notes, docs):
    (docs / "other.md").write_text("The Kunigunde sank.\n\nNobody knows why.\n")
    notes("ingest", "docs")
    code, out, err = notes("ask", "--list", "ships that mention the Kunigunde")
    assert (code, out, err) == (0, "", 'None of 5 documents has the words "ships" and "Kunigunde".\n')
    code, out, err = notes("ask", "--list", "Kunigunde", "--type", "md")
    assert out.splitlines() == [
        "docs/notes.md, line 1  The Kunigunde was painted red.",
        "docs/other.md, line 1  The Kunigunde sank. Nobody knows why.",
    ]
    assert err == '2 of 2 documents have the word "Kunigunde".\n'
    plain = json.loads(notes("ask", "--list", "Kunigunde", "--json")[1])
    assert (plain["words"], plain["searched"], len(plain["documents"])) == (["Kunigunde"], 5, 2)
    assert plain["documents"][0]["marks"] == [[4, 13]]


def test_ask_does_not_guess_how_many_there_are(notes):
    code, out, err = notes("ask", "How many documents mention the Kunigunde?")
    assert code == 0
    assert out.startswith('1 of 4 documents has the word "Kunigunde".\n\nSources\n1. docs/notes.md, line 1')
    assert "answered by" not in err
    assert "--list" in err
    assert json.loads(notes("ask", "How many documents mention the Kunigunde?", "--json")[1])["counted"] == 1
