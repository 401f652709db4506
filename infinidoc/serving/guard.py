"""Who may ask: no foreign page, and with a token only who has it. It is looked at before anything else."""

import ipaddress
import secrets
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from infinidoc.serving.errors import Refused, problem, respond

LOCAL = ("localhost", "127.0.0.1", "::1")
API = ("/api", "/v1", "/mcp")
JSON = "application/json"
PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
NOTHING = "default-src 'none'; frame-ancestors 'none'"
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    return host in LOCAL or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


class Guard:
    """In front of the application.

    - `Host` must be a name of this machine, so that no foreign name can be made to mean it (DNS rebinding).
    - `Origin`, where a browser sends it, must be that same host: no other page may ask, or read.
    - With a `token`, whoever asks the API must know it (`Authorization: Bearer`).
    """

    def __init__(self, app: Starlette, host: str = "127.0.0.1", token: str | None = None):
        self.app, self._token = app, token
        self._names = {*LOCAL, host.lower()}
        if not is_loopback(host):
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        self._open = not is_loopback(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        too_large = False

        async def sending(message: Message) -> None:
            nonlocal too_large
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                too_large = (
                    message["status"] == 413 and headers["content-type"] != JSON
                )  # Starlette's, in its own shape
                _add(headers, scope["path"])
            if not too_large:
                await send(message)

        try:
            self._check(scope["path"], Headers(scope=scope))
        except Refused as error:
            found = problem(error.status, str(error))
            await respond(error.status, found, error.headers)(scope, receive, sending)
            return
        await self.app(scope, receive, sending)
        if too_large:
            await respond(413, problem(413, "that is more than this server takes at once"))(scope, receive, sending)

    def _check(self, path: str, headers: Headers) -> None:
        """Raises Refused."""
        host = headers.get("host", "")
        if not self._knows(_name(f"//{host}")):
            raise Refused(421, "this server does not go by that name: use the address that it printed")
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is not None and _netloc(origin) != host.lower():
            raise Refused(403, "no other page may use this server")
        if not path.startswith(API):
            return
        if site not in ("none", "same-origin"):
            raise Refused(403, "no other page may use this server")
        if self._token is not None and not _bears(headers, self._token):
            raise Refused(401, "this server wants its token: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})

    def _knows(self, name: str) -> bool:
        """Anything but a name that somebody else could have made mean this machine: an address can't be."""
        return name in self._names or (self._open and _is_address(name))


def _bears(headers: Mapping[str, str], token: str) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    same = secrets.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())
    return same and scheme.lower() == "bearer"


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _add(headers: MutableHeaders, path: str) -> None:
    for name, value in ALWAYS.items():
        headers[name] = value
    headers["Content-Security-Policy"] = PAGE if path == "/" or path.startswith("/page/") else NOTHING
