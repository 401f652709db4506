"""The rooms of the house: imports run downwards only, and no module imports itself by way of others."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

# A room may import from those that stand after it. docs/architecture.md says what each is for.
ROOMS = (
    *("__main__", "cli", "serving", "training", "evaluation", "baselines", "manyshot", "reading"),
    *("made", "memory", "model", "documents", "files", "warm", "home", "errors"),
)
PACKAGE = Path(__file__).parents[1] / "infinidoc"
FILES = {
    ".".join(("infinidoc", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): file
    for file in PACKAGE.rglob("*.py")
}


def imported(tree: ast.AST) -> set[str]:
    """What is imported while the program runs, also within functions. What only annotations name is no import."""
    found = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written out"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & FILES.keys()
            found |= submodules or {str(node.module)}
        found |= imported(node)
    return found & FILES.keys()


IMPORTS = {name: imported(ast.parse(file.read_text("utf-8"))) for name, file in FILES.items()}


def room(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("name", sorted(FILES.keys() - {"infinidoc"}))
def test_imports_run_downwards(name):
    for other in IMPORTS[name] - {"infinidoc"}:
        assert ROOMS.index(room(name)) <= ROOMS.index(room(other)), f"{name} imports {other}"


def test_there_are_no_circles():
    TopologicalSorter({name: others - {name} for name, others in IMPORTS.items()}).prepare()


def test_it_finds_what_it_looks_for():
    assert "infinidoc.reading.asking" in IMPORTS["infinidoc.reading.collection"]
    assert imported(ast.parse("def f():\n    from infinidoc.model import base, lora")) == {
        "infinidoc.model.base",
        "infinidoc.model.lora",
    }
    assert len(FILES) > 100
