"""A dashboard behind a real server, and a client that sends exactly the given headers."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import uvicorn

from tests.dashboard.browser import open_browser
from tiered_cache import DiskTier, MemoryTier, TieredCache
from tiered_cache.dashboard import dashboard_app
from tiered_cache.dashboard.server import bind

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from starlette.types import ASGIApp

_WAIT_S = 20.0


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Site:
    """A served dashboard, and requests to it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}/"

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        *,
        method: str | None = None,
        **headers: str | None,
    ) -> Answer:
        """Request `path`. Header names have underscores; `None` omits a header."""
        sent = {"host": self.host, **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_WAIT_S)
        try:
            method = method or ("GET" if body is None else "POST")
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name.replace("_", "-"), value)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def post(self, path: str, said: Any, **headers: str | None) -> Answer:
        """Post `said` as JSON, with the page's own headers."""
        usual: dict[str, str | None] = {
            "origin": f"http://{self.host}",
            "content_type": "application/json",
        }
        return self.ask(path, json.dumps(said).encode(), **{**usual, **headers})


@contextmanager
def served(app: ASGIApp, listening: socket.socket | None = None) -> Iterator[Site]:
    """Serve `app` in a thread."""
    listening = listening or bind("127.0.0.1", 0, has_token=False)
    config = uvicorn.Config(
        app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()  # the socket listens already, so early connections wait in its backlog
    try:
        yield Site(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(_WAIT_S)
        listening.close()
        assert not thread.is_alive()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that use the browser: one process runs them all under pytest-xdist."""
    if "browser" in getattr(item, "fixturenames", ()):
        item.add_marker("needs_browser")
        item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a module.

    While it is open, its event loop runs in this thread, so that `anyio.run` fails.
    """
    yield from open_browser()


@pytest.fixture
def cache(tmp_path: Path, namespace: str) -> Iterator[TieredCache]:
    with TieredCache([MemoryTier(), DiskTier(tmp_path / "disk")], namespace=namespace) as made:
        yield made


@pytest.fixture
def serve(cache: TieredCache) -> Iterator[Callable[..., Site]]:
    """Serves the dashboard of `cache` with the given options."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(served(dashboard_app(cache, **options)))
