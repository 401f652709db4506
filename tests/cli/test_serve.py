"""`infinidoc serve`: one line that says where, Ctrl-C, and what can go wrong."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest


@contextmanager
def serving(*options, **environment):
    """The line that it printed, and the process."""
    command = [sys.executable, "-m", "infinidoc", "serve", "--port", "0", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, **environment}, **pipes) as process:
        try:
            yield process.stdout.readline(), process
        finally:
            process.kill()


def asked(port, headers=None):
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}/api/collections", headers=headers or {}), timeout=60) as reply:
            return reply.status
    except HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_one_line_says_where_and_a_signal_ends_it(signal_):
    with serving() as (line, process):
        port = re.fullmatch(r"infinidoc listens at http://127\.0\.0\.1:(\d+)/\n", line)[1]
        assert asked(port) == 200
        process.send_signal(signal_)
        out, err = process.communicate(timeout=60)
        assert (out, err) == ("", "")
        assert process.returncode in (0, -signal_)


def test_an_open_server_has_a_token_and_prints_it():
    with serving("--host", "0.0.0.0") as (line, _):
        port, token = re.fullmatch(r"infinidoc listens at http://[^:/]+:(\d+)/#token=(\S{20,})\n", line).groups()
        assert asked(port) == 401
        assert asked(port, {"Authorization": f"Bearer {token}"}) == 200


def test_a_token_that_was_given_is_wanted_and_not_printed():
    with serving(INFINIDOC_TOKEN="sesame") as (line, _):
        assert "sesame" not in line
        port = re.search(r":(\d+)/$", line.strip())[1]
        assert asked(port) == 401
        assert asked(port, {"Authorization": "Bearer sesame"}) == 200


def test_a_collection_that_is_not_there_is_no_surprise(run):
    code, out, err = run("mcp", "--collection", "nope")
    assert (code, out) == (1, "")
    assert err.startswith("infinidoc: there is no collection nope: the named ones are: ")
    with serving("--collection", "to-come") as (line, process):
        assert "listens" in line
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=60)[1]
        assert err == "there is no collection to-come yet: the first upload to it makes it\n"


def test_what_can_go_wrong_is_said_in_a_line(run, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = run("serve", "--port", port)
        assert (code, out, err) == (1, "", f"infinidoc: port {port} is in use: choose another one with --port\n")
    code, out, err = run("serve", "--host", "nowhere.invalid")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "can't listen at nowhere.invalid" in err
    assert run("serve", "--collection", "../x")[0] == 1
    assert run("serve", "--reader", "http://localhost:1/v1")[2].count("\n") == 1
    monkeypatch.setenv("INFINIDOC_TOKEN", " ")
    assert "INFINIDOC_TOKEN" in run("serve")[2]
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run("serve") == (1, "", "infinidoc: the server is an extra: pip install 'infinidoc[serve]'\n")
