"""The command as a process: its streams, and Ctrl-C before it has begun."""

import subprocess
import sys
import types

import pytest

from infinidoc import __main__
from infinidoc.errors import INTERRUPTED


def shell(command):
    """A command line of the shell, in which $INFINIDOC is the command."""
    script = command.replace("$INFINIDOC", f"{sys.executable} -m infinidoc")
    return subprocess.run(script, shell=True, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_empty_ones(filled, closed):
    """Without one a file would get its number: the collection's manifest, say, be written to as standard error."""
    listed = shell("$INFINIDOC documents list").stdout
    for command, code, out in (("documents list", 0, listed), ("ask -", 1, ""), ("ingest -", 1, None)):
        done = shell(f"$INFINIDOC {command} {closed}")
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert out is None or done.stdout == ("" if ">&-" in closed.replace("2>&-", "") else out)
        assert ("no question" in done.stderr) == (command == "ask -" and "2>&-" not in closed)
    assert shell("$INFINIDOC collections check .").returncode == 0


def test_a_question_that_nobody_can_answer_is_answered_no(filled):
    done = shell("$INFINIDOC collections remove . < /dev/null")
    assert (done.returncode, done.stderr) == (1, "infinidoc: nothing was done\n")
    assert done.stdout.endswith("[y/N]: \n")
    done = shell("echo n | $INFINIDOC collections remove .")
    assert (done.returncode, done.stderr) == (1, "infinidoc: nothing was done\n")
    assert shell("echo y | $INFINIDOC collections remove .").returncode == 0
    assert shell("$INFINIDOC documents list").returncode == 1


def test_ctrl_c_while_modules_are_imported_is_no_traceback(monkeypatch):
    class Interrupted(types.ModuleType):
        def __getattr__(self, name):
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "infinidoc.cli", Interrupted("infinidoc.cli"))
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == INTERRUPTED
