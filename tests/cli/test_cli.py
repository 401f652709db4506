"""The command line as people and scripts use it: results on stdout, everything else on stderr, one line per mistake."""

import json
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest

from infinidoc.documents import formats
from infinidoc.memory.store import Store
from infinidoc.model import encoding
from infinidoc.reading import approximate


def test_ingest_prints_a_summary_and_what_was_skipped(run, docs):
    (docs / "song.mp3").write_bytes(b"ID3\x04\x00\x00\x00\x00")
    code, out, err = run("ingest", "docs")
    assert code == 0
    assert "3 added, 1 skipped" in out
    assert "tokens/s" in out
    assert re.search(r"kept +[\d.]+ kB addresses, [\d.]+ \w+ text\n", out)
    assert err.startswith("skipped docs/song.mp3: binary file")
    assert "3 unchanged" in run("ingest", "docs")[1]


def test_ingest_says_what_of_a_document_could_not_be_read(run, docs):
    closed = b"Subject: Closed\nContent-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n"
    (docs / "closed.eml").write_bytes(closed)
    code, out, err = run("ingest", "docs")
    assert (code, err) == (0, "docs/closed.eml: message: encrypted\n")
    assert "4 added" in out
    (docs / "closed.eml").write_bytes(closed + b"\n")
    summary = json.loads(run("ingest", "docs", "--json")[1])
    assert summary["notes"] == [{"name": "docs/closed.eml", "note": "message: encrypted"}]


def test_what_could_not_be_read_is_said_where_an_answer_may_stand(run, docs):
    closed = b"Subject: Closed\nContent-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n"
    (docs / "closed.eml").write_bytes(closed)
    run("ingest", "docs/closed.eml")
    assert "  message: encrypted" in run("documents", "list")[1].splitlines()
    assert json.loads(run("documents", "show", "closed.eml", "--json")[1])["notes"] == ["message: encrypted"]
    assert "docs/closed.eml: message: encrypted" in run("ask", "Closed?")[2].splitlines()
    assert json.loads(run("ask", "--json", "Closed?")[1])["notes"] == ["docs/closed.eml: message: encrypted"]


def test_a_large_collection_without_an_index_says_what_would_help(run, docs, monkeypatch):
    monkeypatch.setattr(approximate, "installed", lambda: False)
    assert "infinidoc[index]" not in run("ingest", "docs")[2]
    monkeypatch.setattr(approximate, "EXACT_TOKENS", 10)
    assert "pip install 'infinidoc[index]'" in run("ingest", "docs")[2]


def test_standard_input_that_has_no_end_is_skipped_and_the_rest_is_read(run, docs, monkeypatch):
    monkeypatch.setattr(formats, "MAX_BYTES", 10_000)
    code, out, err = run("ingest", "-", "docs", stdin="yes\n" * 4_000)
    assert code == 1
    assert "3 added, 1 skipped" in out
    assert err == "skipped stdin: larger than 0 MB: split it\n"


def test_ingest_json(run, docs):
    summary = json.loads(run("ingest", "docs", "--json")[1])
    assert summary["added"] == 3
    assert summary["collection"]["documents"] == 3
    assert summary["skipped"] == []


def test_ask_prints_the_answer_then_the_sources(filled, tiny):
    code, out, err = filled("ask", "Which ship carries salt?", "--top", "2", "--max-tokens", "3")
    assert code == 0
    answer, _, sources = out.partition("\nSources\n")
    assert answer.strip()
    assert sources.startswith("1. docs/log-0")
    assert "\n2. docs/log-0" in sources
    assert ", line " in sources
    assert "\x1b[" not in out + err
    assert f"answered by {tiny}; first word after" in err


def test_ask_json_is_one_object_per_question(filled, docs):
    questions = docs.parent / "questions.txt"
    questions.write_text("Which ship carries salt?\n\nWhich ship sank?\n")
    code, out, _ = filled("ask", "--file", questions, "--json", "--max-tokens", "2")
    answers = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [answer["question"] for answer in answers] == ["Which ship carries salt?", "Which ship sank?"]
    keys = {"question", "answer", "answered", "quotes", "verbatim", "sources", "timings", "memory_only", "reader"} | {
        *("notes", "counted")
    }
    assert keys == answers[0].keys()
    source = {"document", "path", "place", "score", "text", "also_in", "id", "start", "end", "marks"}
    assert source == answers[0]["sources"][0].keys()
    piped = filled("ask", "-", "--json", "--max-tokens", "2", stdin="Which ship carries salt?\n")[1]
    assert json.loads(piped)["answer"] == answers[0]["answer"]


def test_many_questions_show_how_far_they_are_and_one_that_fails_keeps_no_other_back(filled, docs, monkeypatch):
    shown = []

    @contextmanager
    def progress():
        yield lambda what, done, total, *_: shown.append((what, done, total))

    monkeypatch.setattr("infinidoc.cli.ask.progress", progress)
    questions = docs.parent / "questions.txt"
    questions.write_text(f"{'why ' * 3000}\nWhich ship carries salt?\nWhich ship sank?\n")
    code, out, err = filled("ask", "--file", questions, "--json", "--max-tokens", "2")
    assert code == 1
    first, *others = map(json.loads, out.splitlines())
    assert "too long" in first["error"]
    assert "too long" in err
    assert [answer["question"] for answer in others] == ["Which ship carries salt?", "Which ship sank?"]
    assert shown == [(f"question {number + 1} of 3", number, 3) for number in range(3)]
    filled("ask", "Which ship sank?", "--max-tokens", "2")
    assert len(shown) == 3


def test_memory_only_says_that_the_gates_are_closed(filled):
    code, out, err = filled("ask", "--memory-only", "Which ship?", "--max-tokens", "2")
    assert code == 0
    assert "Sources" not in out
    assert "gates of the memory are closed" in err


def test_a_new_collection_has_a_memory_only_if_it_is_asked_for(run, docs):
    code, out, _ = run("ingest", "docs")
    assert code == 0
    assert "remembered" not in out
    assert "kernel          none" in run("collections", "show")[1]
    code, out, err = run("ask", "--memory-only", "Which ship?")
    assert (code, out) == (1, "")
    assert err == (
        "infinidoc: this collection has no compressive memory: "
        "ask without --memory-only, or make a new collection with infinidoc ingest --memory\n"
    )
    code, out, err = run("ingest", "--memory", "docs")
    assert (code, out) == (1, "")
    assert err == (
        "infinidoc: this collection was made without a compressive memory: "
        "make another one: --collection NAME --memory\n"
    )
    assert run("ingest", "docs")[0] == 0
    assert run("ingest", "--small-addresses", "docs") == (
        1,
        "",
        "infinidoc: this collection was made with addresses of 128 bytes: "
        "make another one: --collection NAME --small-addresses\n",
    )
    assert run("ingest", "--small-addresses", "docs", "-c", "small")[0] == 0
    assert run("ingest", "--small-addresses", "docs", "-c", "small")[0] == 0
    assert run("ingest", "docs", "-c", "small")[0] == 0
    out = run("ingest", "--memory", "docs", "--collection", "new")[1]
    assert out.count("remembered") == out.count("compressive state") == 1
    assert "kernel          least_squares" in run("collections", "show", "new")[1]


def test_log(filled):
    filled("ask", "Which ship carries salt?", "--max-tokens", "2")
    assert "Which ship carries salt?" in filled("log")[1]
    assert json.loads(filled("log", "--json")[1])[0]["question"] == "Which ship carries salt?"
    assert json.loads(filled("log", "--last", str(2**64), "--json")[1])


def test_collections(filled, docs):
    assert filled("ingest", "-c", "ships", "docs/log-00.txt")[0] == 0
    listed = json.loads(filled("collections", "list", "--json")[1])["collections"]
    assert [(found["name"], found["documents"]) for found in listed] == [(".", 3), ("ships", 1)]
    assert "ships" in filled("collections", "list")[1]
    assert "least_squares" in filled("collections", "show")[1]
    assert filled("collections", "rename", "ships", "boats")[0] == 0
    assert filled("collections", "remove", "boats", stdin="n\n")[0] == 1
    assert json.loads(filled("collections", "show", "boats", "--json")[1])["documents"] == 1
    assert filled("collections", "remove", "boats", "--yes")[0] == 0
    assert filled("collections", "show", "boats")[0] == 1


def test_documents(filled, docs):
    listed = json.loads(filled("documents", "list", "--json")[1])["documents"]
    assert [document["path"] for document in listed] == [str(path) for path in sorted(docs.iterdir())]
    assert "docs/log-01.txt" in filled("documents", "list")[1]
    assert filled("documents", "show", "log-01.txt", "--text")[1].startswith("Logbook 1")
    assert json.loads(filled("documents", "show", "log-01.txt", "--json")[1])["format"] == "txt"
    assert filled("documents", "remove", "log-01.txt")[1] == "removed docs/log-01.txt\n"
    assert len(json.loads(filled("documents", "list", "--json")[1])["documents"]) == 2


MISTAKES = [
    (["ingest", "nowhere"], "nowhere", 1),
    (["ingest", "*.nix"], "*.nix", 1),
    (["ingest"], "Missing argument", 2),
    (["ask", "Which ship?"], "has no collection", 1),
    (["ask", "-c", "nope", "Which ship?"], "there is no collection nope", 1),
    (["ask", "-c", "../x", "Which ship?"], "can't name a collection", 1),
    (["ask"], "no question", 1),
    (["ask", "--file", "missing.txt"], "missing.txt", 1),
    (["ask", "--file", "/dev/zero"], "/dev/zero can't be read (larger than 0 MB: split it)", 1),
    (["search", "--file", "/dev/zero"], "/dev/zero can't be read (larger than 0 MB: split it)", 1),
    (["compare", "--questions", "/dev/zero", "docs"], "/dev/zero can't be read (larger than 0 MB: split it)", 1),
    (["compare", "--seed", "-1"], "--seed", 2),
    (["bench", "questions", "--seed", str(2**32)], "--seed", 2),
    (["bench", "passkey", "--seed", str(2**64)], "--seed", 2),
    (["train", "address-head", "--out", "x", "--seed", str(2**64)], "--seed", 2),
    (["ask", "--top", "0", "x"], "--top", 2),
    (["ask", "--nonsense", "x"], "No such option", 2),
    (["log"], "has no collection", 1),
    (["documents", "list"], "has no collection", 1),
    (["collections", "remove", "nope", "--yes"], "there is no collection nope", 1),
    (["models", "show", "./no-such-model"], "no-such-model", 1),
]


@pytest.mark.parametrize(("arguments", "says", "expected"), MISTAKES)
def test_mistakes_get_one_line_and_an_exit_code(run, arguments, says, expected, monkeypatch):
    monkeypatch.setattr(formats, "MAX_BYTES", 1000)
    code, out, err = run(*arguments)
    assert code == expected
    assert says in err
    assert out == ""
    if expected == 1:
        assert len(err.splitlines()) == 1
        assert err.startswith("infinidoc: ")


def test_an_empty_collection_is_named(filled):
    filled("documents", "remove", "*")
    code, _, err = filled("ask", "Which ship?")
    assert (code, err) == (1, "infinidoc: this collection is empty: fill it with: infinidoc ingest PATH\n")


def test_another_model_is_named(filled, monkeypatch, tmp_path):
    from tests.tiny import tiny_model

    other = tiny_model(tmp_path / "other", seed=3)
    code, _, err = filled("ingest", "docs", "--model", other)
    assert code == 1
    assert "was read with the model" in err
    monkeypatch.setenv("INFINIDOC_MODEL", str(other))  # which is for new ones
    assert filled("ingest", "docs")[0] == filled("ask", "Which ship?")[0] == 0


LIGHT = """
import sys
sys.argv = ["infinidoc", *sys.argv[1:]]
from infinidoc.cli import main
try:
    main()
finally:
    assert not {"torch", "transformers", "numpy"} & sys.modules.keys()
"""


@pytest.mark.parametrize("command", ["", "ingest", "ask", "log", "collections show", "documents remove", "models pull"])
def test_every_help_text_has_examples_and_costs_no_torch(command):
    arguments = [sys.executable, "-c", LIGHT, *command.split(), "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"Usage: infinidoc {command}".strip() in done.stdout
    assert done.stdout.count("infinidoc") > 1
    assert not command or "Example" in done.stdout


def test_version(run):
    assert run("--version")[1].strip() == "0.1.0"


def test_piped_to_a_closed_pipe_it_ends_quietly(filled, tiny):
    """`infinidoc documents list | head -0`."""
    command = f"{sys.executable} -m infinidoc documents list | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_ray_is_asked_for_in_one_line_where_it_is_missing(run, docs, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, out, err = run("ingest", "--engine", "ray", "docs")
    assert (code, out) == (1, "")
    assert err.strip() == "infinidoc: this needs Ray: pip install 'infinidoc[ray]'"


def test_a_path_that_was_named_and_cannot_be_read_ends_with_1_after_the_others(run, docs):
    good, bad, link = docs / "log-00.txt", docs / "picture.png", docs / "gone.txt"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    link.symlink_to("nowhere")
    assert run("ingest", "docs")[0] == 0  # nobody named them
    for named in (bad, "docs/picture.png", "./docs/../docs/picture.png", link):
        code, out, err = run("ingest", "--collection", "named", named, good)
        assert code == 1
        assert "skipped" in out + err
    assert json.loads(run("collections", "show", "named", "--json")[1])["documents"] == 1
    assert run("ingest", "--collection", "named", "-", good, stdin="\0\1\2")[0] == 1


def test_an_interrupted_ingest_says_what_is_kept(run, docs, monkeypatch):
    monkeypatch.setitem(encoding.WINDOW_TOKENS, "cpu", 200)
    whole, commits = Store.commit, []

    def commit(self, *arguments, **options):
        if len(commits) == 2:
            raise KeyboardInterrupt
        commits.append(whole(self, *arguments, **options))

    monkeypatch.setattr(Store, "commit", commit)
    (docs / "long.txt").write_text("\n\n".join(f"Ship number {n} carries salt and wine." for n in range(200)))
    code, out, err = run("ingest", docs / "long.txt")
    assert code == 130
    assert re.search(r"documents +1 in part\n", out)
    assert "1 document" in out
    kept = int(re.search(r"interrupted: this much is kept, and (\d+) % of \S*long\.txt; the same command", err)[1])
    assert 0 < kept < 100
    monkeypatch.setattr(Store, "commit", whole)
    code, out, _ = run("ingest", docs / "long.txt", "--json")
    assert code == 0
    assert json.loads(out)["added"] == 1
    assert json.loads(out)["partial"] == {}


def test_an_ingest_that_was_interrupted_at_once_does_not_say_that_something_is_kept(run, docs, monkeypatch):
    def commit(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "commit", commit)
    code, out, err = run("ingest", docs)
    assert code == 130
    assert re.search(r"documents +none\n", out)
    assert "kept" not in err.replace("before anything could be kept", "")
    assert "begins again" in err


def test_an_ingest_that_is_interrupted_in_its_second_pass_says_which_pass_is_done(run, docs, monkeypatch):
    monkeypatch.setitem(encoding.WINDOW_TOKENS, "cpu", 100)
    whole, windows = Store.remember, []

    def remember(self, *window):
        if windows:
            raise KeyboardInterrupt
        windows.append(whole(self, *window))

    with monkeypatch.context() as patch:
        patch.setattr(Store, "remember", remember)
        code, out, err = run("ingest", "--memory", docs, "--collection", "ships")
    assert code == 130
    assert "3 added" in out
    read, total = re.search(r"remembered +(\d+) tokens in .*; \1 of ([\d,]+) so far\n", out).groups()
    assert re.search(rf"read +{total} tokens", out)
    assert err == "interrupted: everything can be asked about; the next ingest goes on with the memory\n"
    assert re.search(
        rf"memory tokens +{read} of {total}; the next ingest reads on\n", run("collections", "show", "ships")[1]
    )
    (listed,) = json.loads(run("collections", "list", "--json")[1])["collections"]
    assert listed["memory_tokens"] == int(read)
    assert "tokens so far" in run("ask", "--memory-only", "Ships?", "--collection", "ships")[2]
    code, out, err = run("ingest", docs, "--collection", "ships")
    assert (code, err) == (0, "")
    assert "3 unchanged" in out
    assert re.search(rf"memory tokens +{total}\n", run("collections", "show", "ships")[1])


def test_what_is_shown_of_a_document_is_for_people(run, docs):
    (docs / "copy.txt").write_bytes((docs / "log-00.txt").read_bytes())
    run("ingest", docs)
    _, out, _ = run("documents", "show", "copy.txt")
    assert re.search(r"copies +docs/log-00\.txt\n", out)
    assert "()" not in out
    assert "notes" not in out
