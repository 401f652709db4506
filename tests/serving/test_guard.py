"""Who may ask: this machine's own pages and programs, or whoever has the token."""

import socket

import pytest

from tests.serving.conftest import served

LIST = "/api/collections"


def allowed(client, path=LIST, **headers):
    return client("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}).status


def test_it_answers_to_its_own_names_only(server):
    port = server.port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}", f"[::1]:{port}"):
        assert allowed(server, Host=host) == 200, host
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "localhost@evil.example",
                 "192.168.1.7", "[", ""):  # fmt: skip
        for path in (LIST, "/v1/models", "/", "/openapi.json"):
            reply = server("GET", path, headers={"Host": host})
            assert (reply.status, reply.error["code"]) == (421, "misdirected_request"), host


def test_no_other_page_may_ask(server):
    own = server.address
    assert allowed(server, Origin=own) == 200
    assert allowed(server, Origin=own, Sec_Fetch_Site="same-origin") == 200
    for origin in ("http://evil.example", "null", "", f"http://127.0.0.1:{server.port + 1}", "http://localhost", "[",
                   f"{own}.evil.example"):  # fmt: skip
        assert allowed(server, Origin=origin) == 403, origin
        reply = server("POST", "/api/collections/ships/ask", {"question": "What?"}, {"Origin": origin})
        assert reply.status == 403
        assert server("DELETE", "/api/collections/ships/documents/1", headers={"Origin": origin}).status == 403
    for site in ("cross-site", "same-site"):  # what a picture or a script on another page asks for has no Origin
        assert allowed(server, Sec_Fetch_Site=site) == 403
        assert allowed(server, "/openapi.json", Sec_Fetch_Site=site) == 200


def test_it_never_tells_a_browser_that_others_may_read(server):
    for method in ("GET", "OPTIONS", "POST"):
        reply = server(method, LIST, headers={"Origin": server.address, "Access-Control-Request-Method": "POST"})
        assert reply.status == (200 if method == "GET" else 405)
        assert not [name for name in reply.headers if name.lower().startswith("access-control")]


def test_every_reply_says_how_it_may_be_used(server):
    for path in (LIST, "/nothing", "/openapi.json", "/v1/models/nothing"):
        headers = {name.lower(): value for name, value in server("GET", path).headers.items()}
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_with_a_token_only_those_who_have_it_may_ask(ships, host):
    with served(host=host, token="sesame") as client:
        for given in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer sesam"}, {"Authorization": "sesame"},
                      {"Authorization": "Basic sesame"}, {"Authorization": "Bearer sésame"}):  # fmt: skip
            for path in (LIST, "/v1/models", "/api/nothing"):
                reply = client("GET", path, headers=given)
                assert (reply.status, reply.error["type"]) == (401, "authentication_error")
                assert reply.headers["WWW-Authenticate".lower()] == "Bearer"
        assert allowed(client, Authorization="Bearer sesame") == 200
        assert allowed(client, "/openapi.json") == 200


def test_at_an_address_of_the_network_it_goes_by_addresses_and_its_own_name(ships):
    with served(host="0.0.0.0", token="sesame") as client:
        for host in ("192.168.1.7:80", "[fe80::1]", socket.gethostname()):
            assert allowed(client, Host=host, Authorization="Bearer sesame") == 200, host
        assert allowed(client, Host="evil.example", Authorization="Bearer sesame") == 421
