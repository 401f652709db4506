"""`infinidoc watch` as a process of its own: its lines, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from infinidoc.memory.store import Store
from tests.reading.test_watching import LONG, paths_in


@pytest.fixture
def start(tiny):
    """Starts `infinidoc watch` on the working directory's documents."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "infinidoc", "watch", *map(str, arguments)]
        environment = {**os.environ, "INFINIDOC_MODEL": str(tiny), "PYTHONWARNINGS": "ignore"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, env=environment, text=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=LONG)


def test_each_change_is_a_line(start, docs):
    process = start("docs", "-c", "watched")
    lines = iter(process.stdout.readline, "")
    assert next(lines) == "documents   3 added\n"
    assert next(line for line in lines if line.startswith("kept"))
    (docs / "new.md").write_text("The Zephyr sank.")
    assert next(lines) == "read docs/new.md\n"
    (docs / "new.md").rename(docs / "a\x1b[31m.md")
    assert next(lines) == "moved docs/new.md to docs/a\\x1b[31m.md\n"
    (docs / "log-00.txt").write_text("The Zephyr was found.")
    assert next(lines) == "replaced docs/log-00.txt\n"
    (docs / "log-01.txt").unlink()
    assert next(lines) == "removed docs/log-01.txt\n"
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 not really")
    assert next(lines).startswith("skipped docs/broken.pdf: ")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LONG)
    assert (process.returncode, out) == (0, "")
    assert err == "watching; Ctrl-C to end\nstopped: the same command goes on from there\n"
    assert paths_in() == {"log-00.txt", "log-02.txt", "a\x1b[31m.md"}


def test_json_is_a_line_for_each_change(start, docs):
    process = start("docs", "--json", "-c", "watched")
    lines = map(json.loads, iter(process.stdout.readline, ""))
    began = next(lines)
    assert (began["what"], began["added"], began["collection"]["documents"]) == ("started", 3, 3)
    (docs / "new.md").write_text("The Zephyr sank.")
    assert next(lines) == {"what": "read", "path": str(docs / "new.md"), "was": "", "reason": ""}
    docs.rename(docs.with_name("elsewhere"))
    assert next(lines) == {"what": "absent", "text": "docs is not there: its documents are kept"}
    process.terminate()
    out, err = process.communicate(timeout=LONG)
    assert (process.returncode, out) == (0, "")
    assert err == "stopped: the same command goes on from there\n"


def test_ended_in_the_middle_it_goes_on_from_there(start, docs, home):
    for number in range(100):
        (docs / f"more-{number:03}.txt").write_text(f"Ship {number} carries salt. " * 40)
    process = start("docs", "-c", "watched")
    while not Store.exists(home / "collections" / "watched"):
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    assert "stopped: the same command goes on from there" in process.communicate(timeout=LONG)[1]
    assert process.returncode == 0
    process = start("docs", "-c", "watched")
    assert next(iter(process.stdout.readline, "")).startswith("documents   ")
    process.terminate()
    process.communicate(timeout=LONG)
    assert process.returncode == 0
    assert paths_in() == set(os.listdir(docs))


def test_what_makes_no_sense_is_one_line(run, docs, monkeypatch):
    assert run("watch", "nothing")[::2] == (1, "infinidoc: no such file or directory: 'nothing'\n")
    code, _, err = run("watch", "-")
    assert (code, err.count("\n")) == (1, 1)
    monkeypatch.setattr("infinidoc.reading.watching.find_spec", lambda name: None)
    code, _, err = run("watch", "docs")
    assert (code, err) == (1, "infinidoc: watching needs watchfiles: pip install 'infinidoc[watch]'\n")
