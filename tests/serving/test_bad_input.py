"""Whatever a client sends, it gets one clear line, and nothing breaks."""

import socket

import pytest

from infinidoc.serving.app import LARGEST_BODY

ASK = "/api/collections/ships/ask"


@pytest.mark.parametrize("path", ["/api/collections/{}/ask", "/api/collections/{}/search"])
def test_collections_are_named_by_their_names_only(server, path):
    for name in ("nothing", "%2e", ".", "..", "%2e%2e", "_", "..%2fships", "%00", "ships%2f", "a" * 300, "%ff"):
        reply = server("POST", path.format(name), {"question": "What?"})
        assert reply.status == 404, name
        assert reply.error["code"] == "not_found"


def test_questions_that_are_none_are_refused(server):
    for body, word in (
        ({"question": ""}, "empty"),
        ({"question": " \n\t"}, "empty"),
        ({"question": "\x00"}, "empty"),
        ({"question": "word " * 5_000}, "too long"),
        ({}, "question"),
        ({"question": None}, "question"),
        ({"question": ["What?"]}, "question"),
        ({"question": "What?", "top": 0}, "top"),
        ({"question": "What?", "top": 51}, "top"),
        ({"question": "What?", "top": "many"}, "top"),
        ({"question": "What?", "since": "2024-13-01"}, "no date"),
        ({"question": "What?", "type": ["pdf"]}, "no document of type pdf"),
        ({"question": "What?", "in": ["nowhere/"]}, "no document matches"),
        ({"question": "What?", "in": ["["] * 101}, "in"),
        ({"question": "What?", "tpo": 2}, "tpo: there is no such field"),
        ({"question": "What?", "in_": ["log-00.txt"]}, "in_: there is no such field"),
    ):
        for path, ways in ((ASK, ({"stream": True}, {})), ("/api/collections/ships/search", ({},))):
            for way in ways:
                reply = server("POST", path, {**body, **way})
                assert reply.status == 422, (body, path)
                assert word in reply.error["message"]
    assert (
        server("POST", ASK, {"question": "What?", "earlier": [{"answer": "x"}]}).error["param"] == "earlier.0.question"
    )


def test_bodies_that_are_none_are_refused(server):
    for body in (b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"null", b"[" * 50_000):
        reply = server("POST", ASK, body)
        assert reply.status in (400, 422), body[:20]
        assert reply.error["type"] == "invalid_request_error"
    for body, line in (
        (b"", "must be a JSON object"),
        (b"[]", "must be a JSON object"),
        (b'{"question": "What?"', "no JSON that can be read, in UTF-8: see character 20"),
        (b'{"question": "caf\xe9"}', "no JSON that can be read, in UTF-8"),
        (b'{"question":' + b"[" * 50_000, "no JSON that can be read"),
        ({"question": "What?", "earlier": [None]}, "earlier.0: Input should be an object"),
    ):
        error = server("POST", ASK, body).error
        assert line in error["message"], body[:20]
        assert error["param"] in (None, "earlier.0")
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # what curl -d sends
    reply = server("POST", ASK, b'{"question": "What?"}', form)
    assert (reply.status, "Content-Type: application/json" in reply.error["message"]) == (422, True)
    nameless = b'--XX\r\nContent-Disposition: form-data; name="files"\r\n\r\nx\r\n--XX--\r\n'
    reply = server(
        "POST", "/api/collections/ships/documents", nameless, {"Content-Type": "multipart/form-data; boundary=XX"}
    )
    assert (reply.status, "a file with a name" in reply.error["message"]) == (422, True)
    assert server("POST", ASK, b'{"question": "What \\ud800?"}').json["question"].startswith("What ")
    assert server("POST", ASK, b"question=What", {"Content-Type": "text/plain"}).status == 422


def test_a_body_that_is_too_large_is_refused_before_it_is_read(server):
    reply = server("POST", ASK, b" " * (LARGEST_BODY + 1))
    assert (reply.status, reply.error["code"]) == (413, "too_large")
    for path, length in ((ASK, LARGEST_BODY + 1), ("/api/collections/ships/documents", 1 << 40)):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
            connection.sendall((head + "Content-Type: multipart/form-data; boundary=XX\r\n\r\n--XX\r\n").encode())
            assert b" 413 " in connection.recv(200)


def test_other_methods_and_places_are_refused(server):
    for method, path, status in (
        ("GET", ASK, 405),
        ("PUT", "/api/collections", 405),
        ("DELETE", "/v1/models", 405),
        ("GET", "/api", 404),
        ("GET", "/api/", 404),
        ("GET", "/v1/nothing", 404),
        ("GET", "/page/../app.py", 404),
        ("GET", "/page/%2e%2e/app.py", 404),
        ("GET", "/page/..%2fapp.py", 404),
        ("GET", "/docs", 404),
        ("GET", "/api/jobs/nothing", 404),
        ("GET", "/api/jobs/nothing/events", 404),
        ("POST", "/api/jobs/nothing/stop", 404),
        ("GET", "/api/collections/ships/documents/999/place?start=0&end=1", 404),
        ("GET", "/api/collections/ships/documents/0/place?start=0&end=1", 422),
        ("GET", f"/api/collections/ships/documents/{1 << 63}/place?start=0&end=1", 422),
        ("GET", "/api/collections/ships/documents/1/place?start=9&end=1", 422),
        ("GET", "/api/collections/ships/documents/1/place", 422),
        ("GET", "/api/collections/ships/documents/1/pages/1.png", 404),
        ("DELETE", "/api/collections/ships/documents/999", 404),
        ("DELETE", "/api/collections/ships/documents/x", 422),
        ("GET", "/api/collections/ships/log?last=0", 422),
        ("GET", "/api/collections/nothing/log", 404),
        ("GET", "/api/collections/nothing/documents", 404),
    ):
        reply = server(method, path)
        assert reply.status == status, path
        assert reply.error["message"]
