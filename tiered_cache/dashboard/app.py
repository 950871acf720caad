"""The dashboard's addresses, and what each answers."""

from __future__ import annotations

import json
import logging
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import anyio
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tiered_cache.dashboard.assets import Assets
from tiered_cache.dashboard.collecting import Collector
from tiered_cache.dashboard.entries import Entries
from tiered_cache.dashboard.guard import Guard
from tiered_cache.dashboard.numbers import Numbers
from tiered_cache.dashboard.reading import WINDOWS
from tiered_cache.dashboard.stream import Seats, Stream
from tiered_cache.dashboard.working import Workers
from tiered_cache.errors import InvalidKeyError, MissingExtraError, TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from tiered_cache.cache import TieredCache
    from tiered_cache.dashboard.reading import Reading
    from tiered_cache.dashboard.rules import Rules

__all__ = ["MAX_BODY_BYTES", "Dashboard"]

_log = logging.getLogger("tiered_cache.dashboard")

MAX_BODY_BYTES = 512 * 1024
"""Of a request: a key of 64 KiB with every character escaped fits."""

_BODY_S = 10.0


class _BadRequestError(Exception):
    """The request is not one that is understood."""


class Dashboard:
    """The dashboard as an ASGI application, behind its guard.

    Args:
        cache: Whose entries it shows.
        rules: Who may do what.
        title: What the page is called.
        read: Reads the numbers; by default those of `cache` and all who share its tiers.
    """

    def __init__(
        self,
        cache: TieredCache,
        rules: Rules,
        title: str,
        read: Callable[[], Reading] | None = None,
    ) -> None:
        self._numbers = Numbers(Collector(cache).read if read is None else read, Workers())
        self._app = Guard(_routed(_Pages(cache, rules, self._numbers, title)), rules)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)

    def end_streams(self) -> None:
        """Let go of the pages that are pushed to: for a server that wants to end, in its loop."""
        self._numbers.end()


def _routed(pages: _Pages) -> ASGIApp:
    routes = [
        Route("/", pages.index),
        Route("/login", pages.login, methods=["GET", "POST"]),
        Route("/static/{path:path}", pages.static),
        Route("/metrics", pages.metrics),
        Route("/api/about", pages.about),
        Route("/api/now", pages.now),
        Route("/api/stream", pages.stream),
        Route("/api/search", pages.search, methods=["POST"]),
        Route("/api/explain", pages.explain, methods=["POST"]),
        Route("/api/delete", pages.delete, methods=["POST"]),
        Route("/api/invalidate", pages.invalidate, methods=["POST"]),
    ]
    return Starlette(routes=routes)


class _Pages:
    def __init__(self, cache: TieredCache, rules: Rules, numbers: Numbers, title: str) -> None:
        self._cache = cache
        self._rules = rules
        self._title = title
        self._assets = Assets()
        self._workers = Workers()
        self._entries = Entries(cache, show_values=rules.show_values)
        self._numbers = numbers
        self._seats = Seats()

    async def index(self, request: Request) -> Response:
        return self._assets.respond(request, "index.html")

    async def static(self, request: Request) -> Response:
        return self._assets.respond(request, request.path_params["path"])

    async def login(self, request: Request) -> Response:
        if request.method != "POST":
            return self._assets.respond(request, "login.html")
        try:
            form = parse_qs((await _body(request)).decode(), max_num_fields=10)
        except (_BadRequestError, ValueError) as error:
            return _error(400, str(error))
        if not self._rules.is_token(form.get("token", [""])[0]):
            return RedirectResponse("login#wrong", 303)
        response = RedirectResponse(".", 303)
        response.set_cookie(
            self._rules.cookie,
            self._rules.session,
            path=request.scope.get("root_path") or "/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    async def about(self, request: Request) -> Response:
        return _json(
            {
                "version": version("tiered-cache"),
                "title": self._title,
                "allow_changes": self._rules.allow_changes,
                "show_values": self._rules.show_values,
                "live": self._rules.live,
            }
        )

    async def now(self, request: Request) -> Response:
        window = _window(request)
        if window is None:
            return _error(400, f"window must be one of {', '.join(WINDOWS)}")
        try:
            return Response(await self._numbers.latest(window), media_type="application/json")
        except TimeoutError as error:
            return _error(504, str(error))

    async def stream(self, request: Request) -> Any:
        window = _window(request)
        if window is None:
            return _error(400, f"window must be one of {', '.join(WINDOWS)}")
        return Stream(self._numbers, window, self._seats)

    async def metrics(self, request: Request) -> Any:
        """What all processes did, for Prometheus: of a command, nobody else could tell it."""
        try:
            from tiered_cache.integrations.prometheus import metrics_app
        except MissingExtraError as error:
            return _error(404, str(error))
        return metrics_app({self._title: lambda: self._cache.fleet().stats})

    async def search(self, request: Request) -> Response:
        return await self._answer(request, "text", self._entries.search)

    async def explain(self, request: Request) -> Response:
        return await self._answer(request, "key", self._entries.explain)

    async def delete(self, request: Request) -> Response:
        return await self._change(request, "key", self._entries.delete)

    async def invalidate(self, request: Request) -> Response:
        return await self._change(request, "tag", self._entries.invalidate)

    async def _change(
        self, request: Request, field: str, call: Callable[[str], dict[str, Any]]
    ) -> Response:
        if not self._rules.allow_changes:
            return _error(403, "this dashboard only reads: start it with --allow-changes")
        return await self._answer(request, field, call)

    async def _answer(
        self, request: Request, field: str, call: Callable[[str], dict[str, Any]]
    ) -> Response:
        """What `call` makes of the one text that the request has."""
        try:
            text = _text(await _body(request), request.headers.get("content-type", ""), field)
            return _json(await self._workers.call(call, text))
        except (_BadRequestError, InvalidKeyError) as error:
            return _error(400, str(error))
        except TimeoutError:
            return _error(504, "it took too long")
        except TieredCacheError as error:
            return _error(502, str(error))
        except Exception as error:
            _log.exception("the dashboard can't answer")
            return _error(500, type(error).__name__)


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        with anyio.fail_after(_BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    msg = "the request is too long"
                    raise _BadRequestError(msg)
    except TimeoutError:
        msg = "the request takes too long to come"
        raise _BadRequestError(msg) from None
    except ClientDisconnect:
        msg = "the request is not whole"
        raise _BadRequestError(msg) from None
    return bytes(body)


def _text(body: bytes, kind: str, field: str) -> str:
    if kind.partition(";")[0].strip().lower() != "application/json":
        msg = "the request must be application/json"
        raise _BadRequestError(msg)
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        msg = "the request is not JSON"
        raise _BadRequestError(msg) from None
    text = said.get(field) if isinstance(said, dict) else None
    if not isinstance(text, str):
        msg = f"{field} must be a string"
        raise _BadRequestError(msg)
    return text


def _window(request: Request) -> str | None:
    window = request.query_params.get("window", WINDOWS[1])
    return window if window in WINDOWS else None


def _json(said: dict[str, Any], status: int = 200) -> Response:
    # Escaped, as a key may have characters that UTF-8 has no form for.
    return Response(json.dumps(said), status, media_type="application/json")


def _error(status: int, why: str) -> Response:
    return _json({"error": why}, status)
