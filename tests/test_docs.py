"""What the documentation tells people to type exists, and the site is built without a warning."""

import dataclasses
import os
import pydoc
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import infinidoc
from infinidoc.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]
CALL = re.compile(r"""(?:^|[|`$(] ?)infinidoc((?: (?:"[^"\n]*"|'[^'\n]*'|(?! \#)[^|`>;\n)"'])*)?)""", re.M)


def calls(text: str) -> list[str]:
    """Every call of infinidoc in a page's blocks of code and between its backticks."""
    code = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S) + re.findall(r"`[^`\n]+`", text)
    return [match.group(1).strip() for block in code for match in CALL.finditer(block)]


def check(call: str) -> None:
    """Raises AssertionError where a call names a command or an option that isn't there."""
    words = shlex.split(call.replace("…", "x"))
    command = typer.main.get_command(app)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        assert words[0] in command.commands, f"no command {words[0]}: infinidoc {call}"
        command = command.commands[words.pop(0)]
    known = {name for parameter in command.params for name in parameter.opts + parameter.secondary_opts} | {"--help"}
    for word in words:
        if re.match(r"--?[a-z]", word):
            assert word.split("=")[0] in known, f"no option {word}: infinidoc {call}"


def test_a_call_is_checked() -> None:
    for wrong in ("aks x", "ask --tpo 3", "tasks shwo x"):
        with pytest.raises(AssertionError):
            check(wrong)
    check('ask --top 3 "x --y"')
    assert calls('```\ncat x | infinidoc ask -\n$ infinidoc log  # x\n```\n`infinidoc ask "a | b" --json`') == [
        "ask -",
        "log",
        'ask "a | b" --json',
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    for call in calls(page.read_text()):
        check(call)


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    site = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(
        site, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0, done.stderr
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(r'<(?:script|img|link|iframe)[^>]+(?:src|href)="(https?:[^"]+)', page.read_text())
        assert not loaded, f"{page.name} loads {loaded}"


def test_the_package_shows_what_it_offers():
    """`help(infinidoc)` and completion, though its names are imported when they are first asked for."""
    shown = pydoc.render_doc(infinidoc, renderer=pydoc.plaintext)
    for name in infinidoc.__all__:
        assert name in dir(infinidoc)
        assert f"class {name}(" in shown
        offered = getattr(infinidoc, name)
        assert offered.__doc__
        for member in vars(offered):
            assert member.startswith("_") or dataclasses.is_dataclass(offered) or getattr(offered, member).__doc__, (
                member
            )
