"""Connections of redis-py with a socket that knows the deadline of the exchange.

redis-py's timeouts hold for one `recv` each, so a server that sends a byte a second is waited for
without end.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError

if TYPE_CHECKING:
    import socket

__all__ = ["deadline_connection"]

_READ_BYTES = 65_536


class _Deadline:
    """The end of a connection's exchange, on the monotonic clock."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at = 0.0

    def left_s(self) -> float:
        left_s = self.at - time.monotonic()
        if left_s <= 0:
            msg = "the deadline of the exchange has passed"
            raise TimeoutError(msg)
        return left_s


class _DeadlineSocket:
    """A socket that gives each operation the time left of the exchange."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def settimeout(self, timeout: float | None) -> None:
        """Ignore redis-py's timeout: the deadline counts."""

    def recv(self, *args: Any) -> bytes:
        self._sock.settimeout(self._deadline.left_s())
        return self._sock.recv(*args)

    def recv_into(self, *args: Any) -> int:
        self._sock.settimeout(self._deadline.left_s())
        return self._sock.recv_into(*args)

    def sendall(self, *args: Any) -> None:
        self._sock.settimeout(self._deadline.left_s())
        self._sock.sendall(*args)


def deadline_connection(base: type[Any]) -> type[Any]:
    """A subclass of `base`, a connection class of redis-py, with a settable `deadline.at`."""

    class DeadlineConnection(base):  # type: ignore[misc] # a class by argument
        def __init__(self, **options: Any) -> None:
            self.deadline = _Deadline()
            super().__init__(**options)

        def _connect(self) -> Any:
            return _DeadlineSocket(super()._connect(), self.deadline)

        def read_some(self) -> bytes:
            some: bytes = self._sock.recv(_READ_BYTES)
            if not some:
                msg = "the server closed the connection"
                raise RedisConnectionError(msg)
            return some

    return DeadlineConnection
