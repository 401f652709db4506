"""`infinidoc watch` as a process of its own: its lines, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from queue import Empty, Queue
from threading import Thread

import pytest

from infinidoc.memory.store import Store
from tests.reading.watching.watch import LONG, paths_in


class Watching(subprocess.Popen):
    """The process, and what it has printed; what has to come comes in time, or the test fails with what came."""

    def __init__(self, command, **options):
        super().__init__(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.lines, self.seen = Queue(), []
        self.reading = Thread(target=self._read, daemon=True)
        self.reading.start()

    def _read(self):
        for line in iter(self.stdout.readline, ""):
            self.lines.put(line)
        self.lines.put(None)

    def line(self):
        """The next line of stdout."""
        try:
            line = self.lines.get(timeout=LONG)
        except Empty:
            self.kill()
            line = None
        assert line is not None, f"printed {self.seen}, then nothing; stderr: {self.stderr.read()}"
        self.seen.append(line)
        return line

    def end(self, how=signal.SIGTERM):
        """Ends it: the exit code, what came after the last line, and stderr."""
        self.send_signal(how)
        self.wait(timeout=LONG)
        self.reading.join(timeout=LONG)
        return self.returncode, list(iter(self.lines.get_nowait, None)), self.stderr.read()


@pytest.fixture
def start(tiny):
    """Starts `infinidoc watch` on the working directory's documents."""
    started = []

    def start(*arguments):
        command = [sys.executable, "-m", "infinidoc", "watch", *map(str, arguments)]
        environment = {**os.environ, "INFINIDOC_MODEL": str(tiny), "PYTHONWARNINGS": "ignore"}
        started.append(Watching(command, env=environment))
        return started[-1]

    yield start
    for process in started:
        with process:  # waits, and closes its pipes
            process.kill()


def test_each_change_is_a_line(start, docs):
    process = start("docs", "-c", "watched")
    assert process.line() == "documents   3 added\n"
    while not process.line().startswith("kept"):
        pass
    (docs / "new.md").write_text("The Zephyr sank.")
    assert process.line() == "read docs/new.md\n"
    (docs / "new.md").rename(docs / "a\x1b[31m.md")
    assert process.line() == "moved docs/new.md to docs/a\\x1b[31m.md\n"
    (docs / "log-00.txt").write_text("The Zephyr was found.")
    assert process.line() == "replaced docs/log-00.txt\n"
    (docs / "log-01.txt").unlink()
    assert process.line() == "removed docs/log-01.txt\n"
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4 not really")
    assert process.line().startswith("skipped docs/broken.pdf: ")
    code, out, err = process.end(signal.SIGINT)
    assert (code, out) == (0, [])
    assert err == "watching; Ctrl-C to end\nstopped: the same command goes on from there\n"
    assert paths_in() == {"log-00.txt", "log-02.txt", "a\x1b[31m.md"}


def test_json_is_a_line_for_each_change(start, docs):
    process = start("docs", "--json", "-c", "watched")
    began = json.loads(process.line())
    assert (began["what"], began["added"], began["collection"]["documents"]) == ("started", 3, 3)
    (docs / "new.md").write_text("The Zephyr sank.")
    assert json.loads(process.line()) == {"what": "read", "path": str(docs / "new.md"), "was": "", "reason": ""}
    docs.rename(docs.with_name("elsewhere"))
    assert json.loads(process.line()) == {"what": "absent", "text": "docs is not there: its documents are kept"}
    code, out, err = process.end()
    assert (code, out) == (0, [])
    assert err == "stopped: the same command goes on from there\n"


def test_ended_in_the_middle_it_goes_on_from_there(start, docs, home):
    for number in range(100):
        (docs / f"more-{number:03}.txt").write_text(f"Ship {number} carries salt. " * 40)
    process = start("docs", "-c", "watched")
    gives_up = time.monotonic() + LONG
    while not Store.exists(home / "collections" / "watched"):
        assert process.poll() is None
        assert time.monotonic() < gives_up
        time.sleep(0.01)
    code, _, err = process.end()
    assert (code, err.splitlines()[-1:]) == (0, ["stopped: the same command goes on from there"])
    process = start("docs", "-c", "watched")
    assert process.line().startswith("documents   ")
    assert process.end()[0] == 0
    assert paths_in() == set(os.listdir(docs))


def test_what_makes_no_sense_is_one_line(run, docs, monkeypatch):
    assert run("watch", "nothing")[::2] == (1, "infinidoc: no such file or directory: 'nothing'\n")
    code, _, err = run("watch", "-")
    assert (code, err.count("\n")) == (1, 1)
    monkeypatch.setattr("infinidoc.reading.watching.find_spec", lambda name: None)
    code, _, err = run("watch", "docs")
    assert (code, err) == (1, "infinidoc: watching needs watchfiles: pip install 'infinidoc[watch]'\n")
