"""Many clients, one model: all are answered, too many are told to come back, and nobody is read for who has left."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from infinidoc.reading import answering
from infinidoc.reading.collection import Collection
from infinidoc.serving.desk import Desk
from tests.serving.conftest import served

ASK = "/api/collections/ships/ask"
QUESTION = {"question": "Which ship carries salt?"}
PATIENCE = 60


def eventually(true):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def endless(monkeypatch):
    """A reader that ends only when nobody listens; how many are reading."""
    reading = []

    def generate(base, ids, state, max_tokens, on_text, *more):
        reading.append(1)
        try:
            while True:
                on_text("word ")
                time.sleep(0.005)
        finally:
            reading.pop()

    monkeypatch.setattr(answering, "generate", generate)
    return reading


def test_many_clients_at_once_each_get_their_answer(server):
    questions = [f"Which ship carries {number} tons of salt?" for number in range(12)]
    with Collection.open("ships") as collection:
        alone = [[source.text for source in collection.search(question, 4)] for question in questions]

    def ask(question):
        return server("POST", ASK, {"question": question, "stream": len(question) % 2 == 0})

    def sources(reply):
        last = reply.body.decode().strip().rpartition("\n")[2].removeprefix("data: ")
        return sorted(source["text"] for source in json.loads(last)["sources"])

    with ThreadPoolExecutor(12) as pool:
        replies = list(pool.map(ask, questions))
    assert [reply.status for reply in replies] == [200] * 12
    assert [sources(reply) for reply in replies] == [sorted(texts) for texts in alone]


def test_one_model_serves_all_collections(server, ships):
    with Collection.open("others") as others:
        others.ingest([ships])
    models = server.app.state.library.models
    for name in ("ships", "others", "ships"):
        assert server("POST", f"/api/collections/{name}/ask", QUESTION).status == 200
    assert len(models.loaded) == 1


def test_asking_goes_on_while_documents_are_read(server):
    files = {f"{number}.txt": b"The Zenobia carries %d tons of amber." % number for number in range(40)}
    job = server.upload("ships", files).json["job"]
    assert server("DELETE", "/api/collections/ships/documents/1").status in (204, 409)
    assert [server("POST", ASK, QUESTION).status for _ in range(3)] == [200] * 3
    name, summary = server.events("GET", f"/api/jobs/{job}/events")[-1]
    assert (name, summary["added"]) == ("done", 40)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("long", [False, True])  # words without an end make no sentence to hand on
def test_the_reading_ends_when_the_client_leaves(server, endless, stream, long):
    body = json.dumps({**QUESTION, "stream": stream, "long": long}).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = f"POST {ASK} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        eventually(lambda: endless)
        if stream and not long:
            received = b""
            while b"event: text" not in received:  # its headers may come alone
                more = connection.recv(10_000)
                assert more
                received += more
    eventually(lambda: not endless)
    assert server("POST", "/api/collections/ships/search", QUESTION).status == 200


def test_a_client_that_leaves_while_it_waits_is_never_read_for(ships, monkeypatch):
    go_on, asked = threading.Event(), []

    def generate(base, ids, state, max_tokens, on_text, *more):
        asked.append(1)
        assert go_on.wait(PATIENCE)
        return "Amalia"

    monkeypatch.setattr(answering, "generate", generate)
    with served() as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client, "POST", ASK, QUESTION)
        eventually(lambda: asked)
        body = json.dumps(QUESTION).encode()
        with socket.create_connection(("127.0.0.1", client.port)) as connection:
            head = f"POST {ASK} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            eventually(lambda: len(client.app.state.desk._tickets) == 2)
        eventually(lambda: client.app.state.desk._tickets[1]._left.is_set())
        go_on.set()
        assert first.result().status == 200
        assert client("POST", ASK, QUESTION).status == 200
    assert len(asked) == 2


def test_too_many_are_told_to_come_back(ships, endless):
    with served(desk=Desk(waiting=2)) as client, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(client, "POST", ASK, QUESTION) for _ in range(2)]
        eventually(lambda: len(client.app.state.desk._tickets) == 2)
        reply = client("POST", ASK, QUESTION)
        assert (reply.status, reply.error["code"]) == (503, "busy")
        assert int(reply.headers["retry-after"]) > 0
        for ticket in client.app.state.desk._tickets:
            ticket.leave()
        assert [reply.result().status for reply in waiting] == [499] * 2
        eventually(lambda: not endless)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_takes_too_long_is_given_up(ships, endless, stream):
    with served(desk=Desk(seconds=3.0)) as client:
        reply = client("POST", ASK, {**QUESTION, "stream": stream})
        if stream:
            assert reply.status == 200
            assert b"event: error" in reply.body
            assert b'"timeout"' in reply.body
        else:
            assert (reply.status, reply.error["code"]) == (504, "timeout")
        eventually(lambda: not endless)


def test_a_server_that_ends_does_not_wait_for_endless_answers(ships, endless):
    with ThreadPoolExecutor(1) as pool:
        with served() as client:
            left = pool.submit(client, "POST", ASK, {**QUESTION, "stream": True})
            eventually(lambda: endless)
        assert not endless
        left.exception()
