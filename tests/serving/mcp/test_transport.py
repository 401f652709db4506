"""The MCP server as a process: over standard input and over HTTP, and who may ask it."""

import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.serving.mcp.server import LENIENT, LONG, call, environment

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


def test_nothing_but_the_protocol_is_on_standard_output(docs, tiny):
    messages = [
        HELLO,
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {
            "jsonrpc": "2.0",
            "id": 2,
            "method": "tools/call",
            "params": {"name": "search", "arguments": {"question": "Which ship?"}},
        },
    ]
    command = [sys.executable, "-c", LENIENT]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=environment(tiny), **pipes) as process:
        for message in messages:
            process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        said = [json.loads(process.stdout.readline()) for _ in range(2)]
        rest, errors = process.communicate(timeout=LONG)
    assert [one["id"] for one in said] == [1, 2]
    assert all("jsonrpc" in json.loads(line) for line in rest.splitlines())
    assert "a library prints" in errors
    assert process.returncode == 0


def test_ctrl_c_ends_it_at_once(docs, tiny):
    command = [sys.executable, "-c", LENIENT]
    with subprocess.Popen(command, env=environment(tiny), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(json.dumps(HELLO).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(signal.SIGINT)
        process.wait(LONG)


@contextmanager
def serving(tiny, *arguments, **variables):
    """`infinidoc mcp --http`: its address, and the token that it made up, if it did."""
    command = [sys.executable, "-c", LENIENT, "--http", "0", *arguments]
    env = {**environment(tiny), **variables}
    with subprocess.Popen(command, text=True, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            line, token = process.stdout.readline(), None
            if line.startswith("token: "):
                token, line = line.split()[1], process.stdout.readline()
            port = re.search(r":(\d+)/mcp$", line.strip())[1]
            yield f"http://127.0.0.1:{port}/mcp", token
        finally:
            process.terminate()
            process.communicate(timeout=LONG)


def test_over_http(docs, tiny):
    async def run(address):
        async with Client(address, read_timeout_seconds=LONG) as client:
            _, found = await call(client, "search", question="Which ship carries salt?", top=2)
            assert len(found["passages"]) == 2

            async def one(results):
                results.append(await call(client, "search", question="Which ship carries salt?", top=2))

            results = []
            async with anyio.create_task_group() as group:
                for _ in range(8):
                    group.start_soon(one, results)
            assert [one[1] for one in results] == [found] * 8

    with serving(tiny) as (address, token):
        assert token is None
        anyio.run(run, address)


def test_no_foreign_page_and_no_foreign_name_can_ask(docs, tiny):
    hello = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    accept = {"Accept": "application/json, text/event-stream"}
    with serving(tiny) as (address, _):
        for headers, status in (
            ({"Host": "evil.example"}, 421),
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
        ):
            reply = httpx2.post(address, json=hello, headers={**accept, **headers})
            assert reply.status_code == status, headers
        assert httpx2.post(address, json=hello, headers=accept).status_code not in (401, 403, 421)


def test_elsewhere_only_who_has_the_token_can_ask(docs, tiny):
    async def run(address, token):
        http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"})
        async with Client(streamable_http_client(address, http_client=http), read_timeout_seconds=LONG) as client:
            assert (await call(client, "list_documents"))[1]["total"] == 4

    for variables in ({}, {"INFINIDOC_TOKEN": "a-word"}):
        with serving(tiny, "--host", "0.0.0.0", **variables) as (address, made):
            assert (made is None) == bool(variables)
            for headers in ({}, {"Authorization": "Bearer wrong"}):
                assert httpx2.post(address, json={}, headers=headers).status_code == 401
            anyio.run(run, address, made or "a-word")


def test_without_the_sdk_a_line_says_so(monkeypatch, capsys):
    from infinidoc import cli

    monkeypatch.setitem(sys.modules, "infinidoc.serving.mcp", None)
    monkeypatch.setattr(sys, "argv", ["infinidoc", "mcp"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "infinidoc: this needs the SDK of MCP: pip install 'infinidoc[mcp]'\n"
