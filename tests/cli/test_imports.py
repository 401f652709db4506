"""Commands that run no model are there at once: they import neither torch nor anything else that takes long."""

import json
import os
import subprocess
import sys

import pytest

from tests.cli.test_learn import examples  # noqa: F401 (fixture)

# Ends as the command would, with the names of all packages that it imported, but for Python's own, on stderr.
LISTS_IMPORTS = """
import json, sys
sys.argv = ["infinidoc", *sys.argv[1:]]
from infinidoc.cli import main
try:
    main()
finally:
    packages = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
    packages |= {"torch._dynamo", "torch._inductor"} & sys.modules.keys()
    print(json.dumps(sorted(packages)), file=sys.stderr)
"""
STORE = {"filelock", "safetensors"}
COLLECTION = STORE | {"pathspec"}
# Each command, and what it imports beyond `infinidoc --version` (Typer and what that needs).
COMMANDS = {
    "nonsense": set(),
    "ask": COLLECTION,
    "search": COLLECTION,
    "collections list": STORE | {"rich"},
    "collections show": STORE,
    "collections rename . ships": STORE,
    "collections remove ships --yes": STORE,
    "documents list": COLLECTION | {"rich"},
    "documents show log-00.txt": COLLECTION,
    "documents show log-00.txt --text": COLLECTION,
    "log": COLLECTION,
    "tasks list": STORE | {"rich"},
    "tasks show things --examples": STORE | {"rich"},
    "tasks remove things --yes": STORE,
    "adapters list": {"rich"},
    "adapters show smollm2-135m-instruct": set(),
    "models show": set(),
    "models pull": set(),
}
OTHERS = ("--help", "models list")  # rich and huggingface_hub choose what they import


def imported(*arguments):
    """The packages that a command imports, and of torch and transformers the parts that take seconds."""
    command = [sys.executable, "-c", LISTS_IMPORTS, *arguments]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert "Traceback" not in done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.fixture
def with_task(filled, examples):  # noqa: F811
    assert filled("learn", examples, "--input", "text", "--output", "kind", "--task", "things")[0] == 0


def test_what_commands_import_that_run_no_model(with_task):
    least = imported("--version")
    assert not {"torch", "numpy", "transformers", "rich", "filelock"} & least
    for command, more in COMMANDS.items():
        assert imported(*command.split()) - least <= more, command
    for command in OTHERS:
        assert not {"torch", "numpy", "transformers"} & imported(*command.split()), command


def test_a_model_of_an_embedded_family_needs_no_transformers(with_task, docs):
    """Reading, asking and searching: importing transformers takes longer than answering."""
    (docs / "later.txt").write_text("The Amalia carries salt.")
    for command in (["ingest", "docs"], ["ask", "Which ship carries salt?"], ["ask", "--memory-only", "Which ship?"]):
        found = imported(*command)
        assert "torch" in found, command
        assert not {"transformers", "huggingface_hub", "torch._dynamo", "torch._inductor"} & found, command
