"""What is printed is what it is: letter for letter, and nothing that steers a terminal."""

import ast
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import infinidoc.cli
from infinidoc.cli import given, render

ODD = "[slug] :cd: :100: [/b] 08:00:27:cd:af:88 main.c:100:12 test:runner:1.6 \\[x] **bold** é 漢 👍 https://a.b"
NASTY = "a\x1b[31mb\x07c\rd\u202ee\u2066f\x9bg\u2028h\x7fi\udce9j\ud800k"
SPELT = "a\\x1b[31mb\\x07c\\rd\\u202ee\\u2066f\\x9bg\\u2028h\\x7fi\\xe9j\\ud800k"


def on_a_terminal(code, *arguments, columns=40):
    """What a terminal of this width is sent when Python code runs on it; stderr as well."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)}
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ):
        os.close(theirs)
        sent = b""
        try:
            while piece := os.read(ours, 65536):
                sent += piece
        except OSError:  # how Linux says that nobody writes any more
            pass
    os.close(ours)
    return sent.decode().replace("\r\n", "\n")


def test_what_steers_is_spelt_out_and_all_else_stays():
    assert render.printable(ODD) == ODD
    assert render.printable(NASTY) == SPELT
    assert render.printable("a\tb\nc") == "a\\tb\\nc"
    assert render.printable("a\tb\n\x1bc", keep="\t\n") == "a\tb\n\\x1bc"


@pytest.mark.parametrize("terminal", [False, True])
def test_lines_tables_and_facts_are_whole_on_a_narrow_terminal_and_in_a_pipe(terminal):
    code = f"""
from infinidoc.cli import render
name, digest = {ODD + "x" * 100 + NASTY!r}, "0123456789abcdef" * 8
render.out.print(name, style="bold")
render.err.print(name)
render.note(name)
render.error(name)
render.out.write(name + "\\tend\\n")
render.print_table(("name", "digest"), [(name, digest), ("short", digest)])
render.print_facts({{"name": name, "digest": digest}})
"""
    if terminal:
        sent = on_a_terminal(code)
    else:
        command = [sys.executable, "-c", code]
        sent = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout.decode()
    assert ("\x1b[1m" in sent) == terminal  # colours are ours alone, and on a terminal only
    for style in ("\x1b[1m", "\x1b[2m", "\x1b[1;31m", "\x1b[0m"):
        sent = sent.replace(style, "")
    whole = ODD + "x" * 100 + SPELT
    assert sent.count(whole) == 7
    assert sent.count("0123456789abcdef" * 8) == 3
    assert whole + "\tend\n" in sent
    assert not render.STEERING.search(sent.replace("\n", "").replace("\t", ""))


def test_json_is_the_same_value_and_steers_nothing(capsys):
    value = {"name": ODD + "\x9b\x7f\u202e\u2028\x1b", "half": "\ud800"}
    render.print_json(value)
    printed = capsys.readouterr().out
    assert json.loads(printed) == value
    assert not render.STEERING.search(printed.rstrip("\n"))
    assert "é 漢 👍" in printed


def test_a_terminal_without_unicode_still_gets_everything():
    code = "from infinidoc import cli; from infinidoc.cli import render\n"
    code += "import sys; sys.argv[1:] = ['--version']\ntry: cli.main()\nexcept SystemExit: pass\n"
    code += f"render.out.print({ODD!r}); render.print_json({ODD!r}); render.print_document({ODD!r})"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    _, line, plain, document = done.stdout.split(b"\n")
    assert b"08:00:27:cd:af:88" in line
    assert json.loads(plain) == document.decode() == ODD


PRINTING = ("print", "sys.stdout.write", "sys.stderr.write", "typer.echo", "typer.confirm", "typer.prompt")


def test_nothing_else_in_the_command_line_prints():
    """No call site can forget `printable`, because none can reach a stream but through render.py."""
    for file in Path(infinidoc.cli.__file__).parent.glob("*.py"):
        if file.name in ("render.py", "progress.py", "help.py"):  # the last escapes markup, and prints nothing
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                modules = [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
                assert not any(module.split(".")[0] == "rich" for module in modules), file
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                forbidden = (
                    "print",
                    "sys.stdout.write",
                    "sys.stderr.write",
                    "typer.echo",
                    "typer.confirm",
                    "typer.prompt",
                )
                assert called not in forbidden, file
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("console", "stream"), file


NAME = "[draft] :cd: plan\x1b[31m\nnew.md"
TEXT = "pk.setHardwareAddress(08:00:27:cd:af:88)\n\tmain.c:100:12 [slug] :100:\n" + "long " * 60 + "\n\n  end  \n"


@pytest.fixture
def odd(filled, docs):
    """This directory's collection holds one document with an odd name and text."""
    folder = docs.parent / "odd"
    folder.mkdir()
    (folder / NAME).write_text(TEXT)
    assert filled("collections", "remove", ".", "--yes")[0] == 0
    assert filled("ingest", "--no-memory", "odd")[0] == 0
    return filled


RUN = "import sys; from infinidoc.cli import main; sys.argv = ['infinidoc', *sys.argv[1:]]; main()"


def test_a_document_is_shown_byte_for_byte(odd):
    done = subprocess.run([sys.executable, "-c", RUN, "documents", "show", "*", "--text"], capture_output=True)
    assert done.stdout == TEXT.encode()
    assert on_a_terminal(RUN, "documents", "show", "*", "--text") == TEXT


def test_names_come_out_letter_for_letter(odd):
    shown = "odd/[draft] :cd: plan\\x1b[31m\\nnew.md"
    assert shown in odd("documents", "list")[1]
    assert shown in on_a_terminal(RUN, "documents", "list")
    answer = odd("ask", "Is :100: an address?", "Or [slug]?", "--max-tokens", "2")[1]
    assert answer.startswith("Is :100: an address?\n")
    assert "\nOr [slug]?\n" in answer
    assert answer.count(f"1. {shown}, line ") == 2
    assert "   pk.setHardwareAddress(08:00:27:cd:af:88) main.c:100:12 [slug] :100:" in answer
    assert json.loads(odd("documents", "list", "--json")[1])["documents"][0]["path"].endswith(NAME)
    assert odd("documents", "remove", NAME)[1] == f"removed {shown}\n"


LATIN = "Wo ist das Café der Brücke?"


def test_questions_that_are_not_utf8_are_read_as_documents_are(filled, docs, tmp_path, monkeypatch):
    file = docs.parent / "questions.txt"
    file.write_bytes(f"{LATIN}\nWhich ship sank?\n".encode("latin-1"))
    argument = os.fsdecode(LATIN.encode("latin-1"))
    for arguments in (["--file", file], [argument, "Which ship sank?"], ["half \ud800 a letter", "ship \udcff\x1b?"]):
        code, out, err = filled("ask", *arguments, "--json", "--max-tokens", "2")
        assert (code, err) == (0, "")
        asked = [json.loads(line)["question"] for line in out.splitlines()]
        assert len(asked) == 2
        if arguments[0] != "half \ud800 a letter":
            assert asked == [LATIN, "Which ship sank?"]
        assert filled("ask", *arguments, "--max-tokens", "2")[0] == 0
    assert filled("log")[0] == 0


def test_standard_input_that_is_not_utf8(monkeypatch):
    class Stdin:
        def __init__(self, content):
            import io

            self.buffer = io.BytesIO(content)

    for encoding in ("utf-8", "utf-8-sig", "latin-1", "utf-16"):
        monkeypatch.setattr(sys, "stdin", Stdin(f"{LATIN}\r\n\r\n  two\x0cwords  ".encode(encoding)))
        assert given.lines() == [LATIN, "two words"]


def test_a_question_that_fails_does_not_lose_the_others(filled):
    too_long = "salt? " * 5000
    code, out, err = filled("ask", too_long, "Which ship carries salt?", "--max-tokens", "2", "--json")
    assert code == 1
    assert "too long" in err
    failed, answered = map(json.loads, out.splitlines())
    assert "too long" in failed["error"]
    assert answered["answer"]
    code, out, err = filled("ask", too_long, "Which ship carries salt?", "--max-tokens", "2")
    assert code == 1
    assert "Sources" in out


def test_loading_is_part_of_the_wait(filled):
    _, _, err = filled("ask", "Which ship carries salt?", "Which ship sank?", "--max-tokens", "2")
    first, second = [line for line in err.splitlines() if line]
    assert "of them to load the model" in first
    assert "load" not in second


def test_what_is_printed_beside_a_progress_bar_goes_where_it_should():
    ours, theirs = pty.openpty()
    code = """
from infinidoc.cli import render
from infinidoc.cli.progress import progress
with progress() as show:
    show("question 1 of 2", 1, 2)
    render.print_json({"answer": "Käse"})
"""
    environment = {**os.environ, "TERM": "xterm", "PYTHONUTF8": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, env=environment, check=True
    )
    assert json.loads(ended.stdout) == {"answer": "Käse"}
    assert b"question 1 of 2" in os.read(ours, 65_536)
    os.close(ours)
    os.close(theirs)
