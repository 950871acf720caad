"""Checks each request before the dashboard answers it."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response

from tiered_cache.dashboard.responses import error_response
from tiered_cache.dashboard.security_headers import SECURITY_HEADERS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tiered_cache.dashboard.access_rules import AccessRules

__all__ = ["Guard"]

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_OWN_SITES = frozenset({"same-origin", "none"})
_PUBLIC_PATHS = ("/login", "/static/")
"""Paths that need no token: the login form and its files."""


class Guard:
    """An ASGI application that passes permitted requests to another one and refuses the rest.

    - `Host` must name this server, against DNS rebinding.
    - `Origin` and `Sec-Fetch-Site` must not name another site. A request that is not a GET must
      name this origin, against forged requests.
    - If there is a token, the request needs it or a session cookie.
    - Every response gets `SECURITY_HEADERS`.

    Args:
        app: The application behind the guard.
        rules: The access rules.
    """

    def __init__(self, app: ASGIApp, rules: AccessRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(HTTPConnection(scope), str(scope["method"]))
        app = self._app if refusal is None else refusal
        await app(scope, receive, _with_headers(send))

    def _refusal(self, request: HTTPConnection, method: str) -> Response | None:
        headers = request.headers
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._rules.allows_host(hosts[0]):
            return error_response(
                421, "the host name is not allowed: add it by --allow-host or allowed_hosts"
            )
        if not _is_own_site(headers, hosts[0], is_change=method not in _SAFE_METHODS):
            return error_response(403, "requests from other sites are refused")
        path = _path_of(request.scope)
        if not self._rules.needs_token or path.startswith(_PUBLIC_PATHS):
            return None
        if self._is_authorized(request):
            return None
        if path == "/":
            return RedirectResponse("login", 303)
        return error_response(
            401,
            "the token is missing or wrong: log in, or send it as a bearer token",
            {"WWW-Authenticate": "Bearer"},
        )

    def _is_authorized(self, request: HTTPConnection) -> bool:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._rules.is_token(token.strip()):
            return True
        return self._rules.is_session(_cookie(request.headers, self._rules.cookie))


def _with_headers(send: Send) -> Send:
    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return send_guarded


def _is_own_site(headers: Headers, host: str, *, is_change: bool) -> bool:
    site = headers.get("sec-fetch-site", "none")
    if site not in _OWN_SITES and not _is_navigation(headers):
        return False
    origin = headers.get("origin")
    if origin is None:
        return not is_change
    try:
        split = urlsplit(origin)
    except ValueError:
        return False
    # A proxy may speak TLS in front of the server, so both schemes are accepted.
    return split.scheme in ("http", "https") and split.netloc.lower() == host.lower()


def _is_navigation(headers: Headers) -> bool:
    """Whether the browser follows a link into a window. No script of the other site sees it."""
    return (
        headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    )


def _path_of(scope: Scope) -> str:
    """The path below the mount point."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _cookie(headers: Headers, name: str) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value
