"""Serves the dashboard alone, with uvicorn."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tiered_cache.dashboard.extra import need_extra
from tiered_cache.dashboard.host_names import is_loopback_address
from tiered_cache.errors import ConfigurationError, TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import uvicorn

    from tiered_cache.dashboard.app import Dashboard

__all__ = ["MAX_CONNECTIONS", "bind", "serve", "served", "url_of"]

MAX_CONNECTIONS = 128
"""Most connections at a time. Further ones are answered with 503."""

_SHUTDOWN_S = 2
_BACKLOG = 128
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
"""The loopback address by the address that stands for all interfaces."""


def bind(host: str, port: int, *, has_token: bool) -> socket.socket:
    """A socket that listens at `host`.

    Args:
        host: A name or an address.
        port: The port; 0 for any free one.
        has_token: Whether the dashboard needs a token.

    Raises:
        ConfigurationError: This machine has no such host, or other machines could reach it and
            there is no token.
        TieredCacheError: The port is taken or not permitted.
    """
    found = _resolve(host, port)
    if not has_token and not all(is_loopback_address(str(address[0])) for _, address in found):
        msg = (
            f"other machines could reach the dashboard at {host!r} without a token: set "
            "TIERED_CACHE_DASHBOARD_TOKEN or --token, or use 127.0.0.1"
        )
        raise ConfigurationError(msg)
    family, address = found[0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        msg = f"can't listen on port {port} of {host}: {error.strerror}; choose another by --port"
        raise TieredCacheError(msg) from error
    return listening


def _resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    """The addresses of `host`, with their families."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        msg = f"unknown host {host!r}: expected a name or an address of this machine"
        raise ConfigurationError(msg) from error
    return [(each[0], each[4]) for each in found]


def url_of(listening: socket.socket, host: str) -> str:
    """The URL of a listening socket for a browser on this machine."""
    address, port = listening.getsockname()[:2]
    name = host if host == "localhost" else _ANY_ADDRESS.get(address, str(address))
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def serve(app: Dashboard, listening: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve `app` until Ctrl-C or another signal that ends the process.

    Call it in the main thread. uvicorn raises the signal again when it has shut down.

    Args:
        app: The application.
        listening: The socket from `bind`; closed at the end.
        on_ready: Called once, when the server accepts requests.

    Raises:
        MissingExtraError: The extra `[dashboard]` is not installed.
    """
    with listening, suppress(KeyboardInterrupt):
        _server(app, on_ready).run(sockets=[listening])


@contextmanager
def served(app: Dashboard, listening: socket.socket) -> Generator[None]:
    """Serve `app` in a thread while the block runs.

    Args:
        app: The application.
        listening: The socket from `bind`; closed at the end.

    Raises:
        MissingExtraError: The extra `[dashboard]` is not installed.
    """
    server = _server(app, lambda: None)
    options = {"sockets": [listening]}
    thread = threading.Thread(
        target=server.run, kwargs=options, name="tiered-cache dashboard", daemon=True
    )
    with listening:
        thread.start()  # the socket listens already, so early connections wait in its backlog
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(2 * _SHUTDOWN_S)


def _server(app: Dashboard, on_ready: Callable[[], None]) -> uvicorn.Server:
    need_extra("uvicorn")
    import uvicorn

    class DashboardServer(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.end_streams()  # uvicorn would wait for open streams until its deadline
            await super().shutdown(sockets)

    return DashboardServer(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=10,
            timeout_graceful_shutdown=_SHUTDOWN_S,
        )
    )
