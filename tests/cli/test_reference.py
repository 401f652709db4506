"""Help texts are complete, and the reference that is made of them is current."""

from pathlib import Path

from infinidoc.cli import app
from infinidoc.cli.help import paragraphs
from infinidoc.cli.reference import reference

REFERENCE = Path(__file__).parents[2] / "docs" / "cli.md"


def commands(group=app, name=()):
    for command in group.registered_commands:
        yield (*name, command.name or command.callback.__name__), command.help or command.callback.__doc__
    for inner in group.registered_groups:
        yield from commands(inner.typer_instance, (*name, inner.name))


def test_the_reference_is_current():
    assert REFERENCE.read_text(encoding="utf-8") == reference(), "python -m infinidoc.cli.reference > docs/cli.md"


def test_the_reference_names_every_command_and_option(run):
    written = reference()
    for name, _ in commands():
        assert f"\n## infinidoc {' '.join(name)}\n" in written
    for line in (
        "- `PATHS`: Files, directories, globs; - is standard input.",
        "- `--collection, -c NAME`: A named collection; default: this directory's own.",
        "- `--memory/--no-memory`: Whether a new collection also has a compressive memory,",
        "- `--engine here|ray`: Where the model runs: here, or on a Ray cluster (ray; see below). (default: here)",
        "- `--csv`: Print CSV.",
        "```\ninfinidoc collections list\n```",
    ):
        assert line in written


def test_every_help_text_has_an_example_that_names_its_command(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    for name, text in commands():
        examples = [line for part, is_example in paragraphs(text) for line in part.splitlines() if is_example]
        assert any(f"infinidoc {' '.join(name)}" in line for line in examples), name
    for name in ("ask", "compare", "train"):
        code, out, err = run(name, "--help")
        assert (code, err) == (0, "")
        for _, text in (pair for pair in commands() if pair[0] == (name,)):
            for part, is_example in paragraphs(text):
                assert all(line.strip() in out for line in part.splitlines() if is_example)


def test_brackets_in_a_help_text_are_no_markup(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    assert "(infinidoc[rag])" in run("compare", "--help")[1]
    assert "needs infinidoc[rag]" in run("bench", "questions", "--help")[1]


def test_paragraphs_are_unwrapped_and_examples_are_not():
    text = "One\ntwo.\n\nExamples:\n\n  a b\n  c [d]\n\nThe\nend."
    assert list(paragraphs(text)) == [
        ("One two.", False),
        ("Examples:", False),
        ("  a b\n  c [d]", True),
        ("The end.", False),
    ]
