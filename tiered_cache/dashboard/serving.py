"""Serving the dashboard by itself, with uvicorn."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tiered_cache.dashboard.extra import need_extra
from tiered_cache.dashboard.rules import is_loopback_address
from tiered_cache.errors import ConfigurationError, TieredCacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import uvicorn

    from tiered_cache.dashboard.app import Dashboard

__all__ = ["MAX_CONNECTIONS", "bind", "serve", "served", "url_of"]

MAX_CONNECTIONS = 128
"""Connections that are served at once; further ones are answered with 503."""

_LEAVE_S = 2
_BACKLOG = 128


def bind(host: str, port: int, *, has_token: bool) -> socket.socket:
    """A socket that listens at `host`.

    Args:
        host: A name or an address.
        port: The port; 0 is any that is free.
        has_token: Whether the dashboard asks for a token.

    Raises:
        ConfigurationError: There is no such host here, or without a token others could reach it.
        TieredCacheError: The port is taken, or may not be used.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        msg = f"there is no host {host!r}: give a name or an address of this machine"
        raise ConfigurationError(msg) from error
    if not has_token and not all(is_loopback_address(str(each[4][0])) for each in found):
        msg = (
            f"at {host!r} the dashboard can be reached by others: give it a token, by "
            "TIERED_CACHE_DASHBOARD_TOKEN or --token, or stay at 127.0.0.1"
        )
        raise ConfigurationError(msg)
    family, _, _, _, address = found[0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        msg = f"port {port} of {host} can't be used: {error.strerror}; --port gives another"
        raise TieredCacheError(msg) from error
    return listening


def url_of(listening: socket.socket, host: str) -> str:
    """Where a browser on this machine finds it."""
    address, port = listening.getsockname()[:2]
    if host == "localhost":
        address = host
    elif address in ("0.0.0.0", "::"):  # noqa: S104 - this is how "everywhere" is written
        address = "127.0.0.1" if address == "0.0.0.0" else "::1"  # noqa: S104 - the same
    return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"


def serve(app: Dashboard, listening: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve `app` until Ctrl-C, or another signal to end, which then is the caller's.

    To be called in the main thread.

    Args:
        app: The application.
        listening: What `bind` gave; closed afterwards.
        on_ready: Called once when it can be asked.

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
        listening: What `bind` gave; closed afterwards.

    Raises:
        MissingExtraError: The extra `[dashboard]` is not installed.
    """
    server = _server(app, lambda: None)
    options = {"sockets": [listening]}
    thread = threading.Thread(
        target=server.run, kwargs=options, name="tiered-cache dashboard", daemon=True
    )
    with listening:
        thread.start()  # what connects before it is ready waits: the socket listens already
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(2 * _LEAVE_S)


def _server(app: Dashboard, on_ready: Callable[[], None]) -> uvicorn.Server:
    need_extra("uvicorn")
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.end_streams()  # it would wait for them, and then break them off
            await super().shutdown(sockets)

    return Server(
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
            timeout_graceful_shutdown=_LEAVE_S,
        )
    )
