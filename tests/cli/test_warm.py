"""The warm process: commands run in it as they would have here, and go on without it whenever it isn't there."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from infinidoc import warm

ASK = ("ask", "Which ship carries salt?", "--json")


@pytest.fixture
def shell(filled, tiny, monkeypatch):
    """Runs commands as processes of their own; what stays behind is stopped at the end."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory:  # sockets have short names
        monkeypatch.setenv("XDG_RUNTIME_DIR", directory)
        monkeypatch.setenv("INFINIDOC_MODEL", str(tiny))
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        monkeypatch.delenv("CI", raising=False)

        def shell(*arguments, **options):
            command = [sys.executable, "-m", "infinidoc", *arguments]
            return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)

        yield shell
        shell("warm", "stop")


def processes(shell):
    return json.loads(shell("warm", "status", "--json").stdout)["processes"]


def comparable(answer):
    return {key: value for key, value in json.loads(answer.stdout).items() if key != "timings"}


def begun(*arguments, **options):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([sys.executable, "-m", "infinidoc", *arguments], text=True, **pipes, **options)


def test_answers_are_the_same_and_the_process_stays(shell):
    alone = shell(*ASK)
    assert processes(shell) == []  # nobody asked for one, and this is no terminal
    first, second = shell(*ASK, "--keep", "1m"), shell(*ASK)
    assert comparable(first) == comparable(second) == comparable(alone)
    (one,) = processes(shell)
    assert one["models"]
    assert 0 < one["seconds"] <= 60

    elsewhere = shell("ask", "--collection", "nowhere", "Who?")
    assert elsewhere.returncode == 1
    assert "nowhere" in elsewhere.stderr
    assert "Traceback" not in elsewhere.stderr
    assert shell("ask", "--tpo", "3").returncode == 2
    assert shell("chat", cwd="/", input="Who?\n").returncode == 1  # no collection belongs to that directory
    spoken = shell("chat", input="Which ship carries salt?\nWhich ship is late?\n")
    assert spoken.returncode == 0
    assert spoken.stdout
    assert processes(shell)[0]["pid"] == one["pid"]

    assert shell("warm", "stop").stdout == "stopped\n"
    assert processes(shell) == []
    assert shell("warm", "stop").stdout == "none was running\n"
    assert not list(Path(os.environ["XDG_RUNTIME_DIR"]).rglob("*.sock"))


def test_a_task_is_predicted_by_it(shell, tmp_path):
    examples = tmp_path / "examples.csv"
    examples.write_text("text,kind\n" + "".join(f"salt {n},cargo\nstorm {n},weather\n" for n in range(8)))
    assert shell("learn", str(examples), "--input", "text", "--output", "kind", "--task", "things").returncode == 0
    here = shell("predict", "--task", "things", "more salt", "--json")
    assert here.returncode == 0
    for _ in range(2):
        assert shell("predict", "--task", "things", "more salt", "--json", "--keep", "1m").stdout == here.stdout
    assert len(processes(shell)) == 1


def test_without_it_commands_go_on(shell, monkeypatch):
    here = comparable(shell(*ASK))
    assert comparable(shell(*ASK, "--keep", "1m")) == here
    (one,) = processes(shell)

    (name,) = Path(os.environ["XDG_RUNTIME_DIR"]).rglob("*.sock")
    busy = warm.connect(name)  # at another's service, who says nothing
    assert comparable(shell(*ASK)) == here
    busy.close()

    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # torch has read that already
    assert comparable(shell(*ASK, "--keep", "0")) == here
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    os.kill(one["pid"], signal.SIGKILL)
    assert comparable(shell(*ASK)) == here

    name.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(name))
    assert comparable(shell(*ASK)) == here
    assert not name.exists()

    Path(os.environ["XDG_RUNTIME_DIR"], f"infinidoc-{os.getuid()}").chmod(0o755)
    assert comparable(shell(*ASK, "--keep", "1m")) == here  # others could have put a socket there
    assert not list(Path(os.environ["XDG_RUNTIME_DIR"]).rglob("*.sock"))


def test_one_command_leaves_nothing_to_the_next(shell):
    assert shell(*ASK, "--keep", "1m").returncode == 0
    otherwise = shell(*ASK, env={**os.environ, "INFINIDOC_PRECISION": "fp7"})
    assert otherwise.returncode == 1
    assert "fp7" in otherwise.stderr
    assert shell(*ASK).returncode == 0


def test_ctrl_c_and_a_closed_pipe_end_the_command_only(shell):
    assert shell(*ASK, "--keep", "1m").returncode == 0
    (one,) = processes(shell)
    waiting = begun("chat")
    waiting.stdin.write("Which ship carries salt?\n")
    waiting.stdin.flush()
    assert waiting.stdout.readline()
    waiting.send_signal(signal.SIGINT)
    _, said = waiting.communicate(timeout=60)
    assert waiting.returncode != -signal.SIGINT
    assert "Traceback" not in said

    killed = begun("chat")
    killed.stdin.write("Which ship carries salt?\n")
    killed.stdin.flush()
    assert killed.stdout.readline()
    killed.kill()
    killed.communicate(timeout=60)

    assert (
        subprocess.run(
            f"{sys.executable} -m infinidoc ask 'Which ship?' | head -c 0", shell=True, check=False, timeout=60
        ).returncode
        == 0
    )
    for _ in range(100):  # it may still be leaving the chat that was killed
        found = processes(shell)
        if not found[0].get("busy"):
            break
        time.sleep(0.1)
    assert found[0]["pid"] == one["pid"]
    assert comparable(shell(*ASK))["question"] == ASK[1]


def test_it_can_be_started_beforehand(shell):
    assert shell("warm", "start", "--collection", "nowhere").returncode == 1
    assert processes(shell) == []  # nothing is loaded: there is no reason to stay
    started = shell("warm", "start", "--keep", "2h")
    assert started.returncode == 0, started.stderr
    assert "2 hours" in started.stdout
    assert processes(shell)[0]["models"]


def test_times_are_read_as_people_write_them(filled):
    assert [warm.seconds(text) for text in ("90s", "10m", "2h", "0", "5")] == [90, 600, 7200, 0, 5]
    for wrong in ("", "soon", "-1m", "9999h", "nan", "m"):
        with pytest.raises(ValueError, match=r".*"):
            warm.seconds(wrong)
    code, _, said = filled("ask", "--keep", "soon", "x")
    assert code == 1
    assert said.count("\n") == 1
    assert "soon" in said
    assert filled("warm", "start", "--keep", "0")[0] == 1


def test_who_wants_one(monkeypatch):
    asked = []
    monkeypatch.setattr(warm, "hand_over", lambda arguments, keep: asked.append(keep))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv(warm.KEEP, raising=False)
    for arguments in (["ingest", "x"], ["ask", "--help"], ["ask", "x", "--keep", "0"], ["ask", "--keep=soon", "x"], []):
        assert warm.handed_over(arguments) is None
    assert asked == []
    warm.handed_over(["ask", "x"])
    warm.handed_over(["ask", "--keep=5m", "x"])
    monkeypatch.setenv("CI", "true")
    warm.handed_over(["ask", "x"])
    monkeypatch.setenv(warm.KEEP, "2m")
    warm.handed_over(["chat"])
    assert asked == [warm.KEPT, 300, 120]
