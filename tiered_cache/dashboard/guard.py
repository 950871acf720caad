"""What stands before every request: who asks, from where, and what the browser may do with it."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tiered_cache.dashboard.rules import Rules

__all__ = ["Guard"]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # "no-referrer" has forms send "Origin: null"
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_SAFE = frozenset({"GET", "HEAD"})
_FRIENDLY = frozenset({"same-origin", "none"})
_FOR_ALL = ("/login", "/static/")
"""What a browser that has not logged in may see: the form, and how it looks."""


class Guard:
    """An ASGI application that lets to another one only what the rules allow.

    - The `Host` must be one of this server's, against DNS rebinding.
    - What another site's page asks for is refused, by `Origin` and `Sec-Fetch-Site`; what is not a
      GET must name this origin, against forged requests.
    - Where there is a token, it or the cookie of who logged in is needed.
    - Every response has the headers that keep a browser from doing more with it.

    Args:
        app: The application.
        rules: The rules.
    """

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have the application answer."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(HTTPConnection(scope), str(scope["method"]))
        await (self._app if refusal is None else refusal)(scope, receive, send_guarded)

    def _refusal(self, asked: HTTPConnection, method: str) -> Response | None:
        headers = asked.headers
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._rules.allows_host(hosts[0]):
            return _refuse(421, "this is not the host that was asked for")
        if not _is_from_here(headers, hosts[0], changes=method not in _SAFE):
            return _refuse(403, "another site may not ask this")
        path = _path_of(asked.scope)
        if not self._rules.needs_token or path.startswith(_FOR_ALL) or self._knows(asked):
            return None
        if path == "/":
            return RedirectResponse("login", 303)
        return _refuse(401, "the token is needed", {"WWW-Authenticate": "Bearer"})

    def _knows(self, asked: HTTPConnection) -> bool:
        kind, _, said = asked.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._rules.is_token(said.strip()):
            return True
        return self._rules.is_session(_cookie(asked.headers, self._rules.cookie))


def _is_from_here(headers: Headers, host: str, *, changes: bool) -> bool:
    if headers.get("sec-fetch-site", "none") not in _FRIENDLY and not _is_visit(headers):
        return False
    origin = headers.get("origin")
    if origin is None:
        return not changes
    try:
        split = urlsplit(origin)
    except ValueError:
        return False
    # A proxy may speak TLS for us, so the scheme can't be known.
    return split.scheme in ("http", "https") and split.netloc.lower() == host.lower()


def _is_visit(headers: Headers) -> bool:
    """Whether somebody follows a link from elsewhere: a page in the window, that no script sees."""
    return (
        headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    )


def _path_of(scope: Scope) -> str:
    """The path below where the application is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _cookie(headers: Headers, name: str) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def _refuse(status: int, why: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": why}, status, headers)
