"""A connection to a Redis server on which every exchange has one deadline, and a pool of them.

`redis-py`'s own timeouts hold for one `recv` each, so that a server that sends a byte a second is
waited for without end, and its pool, retries and parser take most of the time of a GET. Here its
connection is used to connect, to log in and to send, on a socket that knows when the exchange must be over.
"""

from __future__ import annotations

import functools
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from redis.backoff import NoBackoff
from redis.connection import Connection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from tiered_cache._process.fork import call_in_child
from tiered_cache.errors import ConfigurationError, TierTimeoutError, TierUnavailableError
from tiered_cache.tiers.redis._resp import Replies

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

    from tiered_cache.tiers.redis._connection import Command

__all__ = ["RedisWire", "pack"]

_PIECE_BYTES = 65_536


class _Deadline:
    """When the exchange that a connection is in must be over, on the monotonic clock."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at = 0.0

    def left(self) -> float:
        left = self.at - time.monotonic()
        if left <= 0:
            msg = "the deadline of the exchange has passed"
            raise TimeoutError(msg)
        return left


class _DeadlineSocket:
    """A socket whose every operation gets what is left of the exchange's time."""

    def __init__(self, sock: socket.socket, deadline: _Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def settimeout(self, timeout: float | None) -> None:
        """Ignore what redis-py sets: the deadline is what counts."""

    def recv(self, *args: Any) -> bytes:
        self._sock.settimeout(self._deadline.left())
        return self._sock.recv(*args)

    def recv_into(self, *args: Any) -> int:
        self._sock.settimeout(self._deadline.left())
        return self._sock.recv_into(*args)

    def sendall(self, *args: Any) -> None:
        self._sock.settimeout(self._deadline.left())
        self._sock.sendall(*args)


class RedisWire:
    """Exchanges of commands and replies with one server.

    Args:
        url: `redis://`, `rediss://` (TLS) or `unix://`, as redis-py reads it.
        timeout_s: The longest an exchange takes, waiting for a connection included.
        connect_timeout_s: The longest that connecting takes, the handshake included.
        max_connections: How many connections there are at most, so how many threads are served
            at the same time.
        node: A host and a port instead of those of the URL.

    Thread-safe. A forked child makes its own connections.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        connect_timeout_s: float,
        max_connections: int,
        node: tuple[str, int] | None = None,
    ) -> None:
        self.url = url
        self.timeout_s = timeout_s
        self.connect_timeout_s = connect_timeout_s
        self.max_connections = max_connections
        self._connection_class, self._options = _parse(url, timeout_s, connect_timeout_s)
        if node is not None:
            self._options["host"], self._options["port"] = node
        self._start()
        call_in_child(self._start)

    def _start(self) -> None:
        self._idle: SimpleQueue[Any] = SimpleQueue()
        self._unmade = threading.BoundedSemaphore(self.max_connections)

    @property
    def address(self) -> str:
        """Where the server is, without the password."""
        options = self._options
        if "path" in options:
            return f"unix://{options['path']}"
        return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"

    def exchange(self, commands: Sequence[Command], extra_s: float = 0.0) -> list[Any]:
        """The replies to `commands`, sent in one go; a `ResponseError` stands for its reply.

        An idle connection that turns out to be closed is replaced once: a server that restarted
        is no fault. Commands that block may take `extra_s` more.

        Raises:
            TierTimeoutError: The deadline passed.
            TierUnavailableError: The server can't be reached, refused the connection, or does not
                speak its protocol.
        """
        return self.exchange_by(commands, time.monotonic() + self.timeout_s + extra_s)

    def exchange_by(self, commands: Sequence[Command], at: float) -> list[Any]:
        """As `exchange`, by a deadline on the monotonic clock."""
        while True:
            connection, is_new = self._take(at)
            try:
                replies = self._converse(connection, commands, at)
            except TierTimeoutError:
                raise
            except TierUnavailableError:
                if is_new:
                    raise
                self._drop_idle()
            else:
                self._idle.put(connection)
                return replies

    def _converse(self, connection: Any, commands: Sequence[Command], at: float) -> list[Any]:
        connection.deadline.at = at
        try:
            connection.send_packed_command(pack(commands), check_health=False)
            replies = Replies(len(commands))
            while not replies.feed(connection.read_some()):
                pass
            return replies.read
        except BaseException as error:
            self._drop(connection)
            if isinstance(error, Exception):
                raise self.translate(error) from error
            raise

    def _take(self, at: float) -> tuple[Any, bool]:
        """An idle connection, or a new one; waits for one where there are as many as may be."""
        try:
            return self._idle.get_nowait(), False
        except Empty:
            pass
        if not self._unmade.acquire(blocking=False):
            try:
                return self._idle.get(timeout=max(0.0, at - time.monotonic())), False
            except Empty:
                msg = f"all {self.max_connections} connections to {self.address} were busy for {self.timeout_s:g} s"
                raise TierTimeoutError(msg) from None
        connection = self._connection_class(**self._options)
        connection.deadline.at = min(at, time.monotonic() + self.connect_timeout_s)
        try:
            connection.connect()
        except BaseException as error:
            self._drop(connection)
            if isinstance(error, Exception):
                raise self.translate(error) from error
            raise
        return connection, True

    def _drop(self, connection: Any) -> None:
        connection.disconnect()
        self._unmade.release()

    def _drop_idle(self) -> None:
        while True:
            try:
                self._drop(self._idle.get_nowait())
            except Empty:
                return

    def translate(self, error: Exception) -> TierUnavailableError:
        """What an exception of the connection is in our words."""
        if isinstance(error, RedisTimeoutError | TimeoutError):
            msg = f"no answer from {self.address} within its deadline of {self.timeout_s:g} s"
            return TierTimeoutError(msg)
        if isinstance(error, RedisError | OSError):
            return TierUnavailableError(f"{self.address}: {_without_secrets(error)}")
        return TierUnavailableError(
            f"{self.address} does not answer in the Redis protocol ({type(error).__name__})"
        )

    def serve(self, name: bytes) -> None:
        """A single server has every key."""

    def whole_at(self) -> str:
        """Where all keys are."""
        return self.address

    def close(self) -> None:
        """Close the idle connections; those in use are closed when they are given back late."""
        self._drop_idle()


def pack(commands: Sequence[Command]) -> Iterator[bytes]:
    """Commands as RESP arrays: redis-py's general packer takes a fifth of the time of a GET.

    In pieces of some 64 KiB, so that the server works on one while the next is packed.
    Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
    """
    parts = []
    size = 0
    for command in commands:
        if isinstance(command, bytes):
            parts.append(command)
            size += len(command)
        else:
            parts.append(b"*%d\r\n" % len(command))
            for argument in command:
                if isinstance(argument, bytes):
                    parts.append(b"$%d\r\n%b\r\n" % (len(argument), argument))
                    size += len(argument)
                else:
                    parts.append(_packed(argument))
        if size > _PIECE_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


@functools.lru_cache(256, typed=True)
def _packed(argument: object) -> bytes:
    """One argument that is no bytes: mostly the name of a command, or a number that is always the same."""
    data = str(argument).encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)


def _without_secrets(error: Exception) -> str:
    # redis-py's messages name addresses, users and commands, never passwords.
    return str(error) or type(error).__name__


def _parse(
    url: str, timeout_s: float, connect_timeout_s: float
) -> tuple[type[Any], dict[str, Any]]:
    try:
        options: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call] # redis-py has no type for it
    except ValueError:
        # Not even as the cause: redis-py's message may quote a part of the password.
        msg = "the Redis URL is not usable: write redis://, rediss:// or unix://, then [user:password@]host:port/database, with %2F for a / in the password"
        raise ConfigurationError(msg) from None
    base = options.pop("connection_class", None) or Connection
    options |= {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": connect_timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "decode_responses": False,
    }
    return _with_deadline(base), options


def _with_deadline(base: type[Any]) -> type[Any]:
    class DeadlineConnection(base):  # type: ignore[misc] # a class by argument
        def __init__(self, **options: Any) -> None:
            self.deadline = _Deadline()
            super().__init__(**options)

        def _connect(self) -> Any:
            return _DeadlineSocket(super()._connect(), self.deadline)

        def read_some(self) -> bytes:
            some: bytes = self._sock.recv(_PIECE_BYTES)
            if not some:
                msg = "the server closed the connection"
                raise RedisConnectionError(msg)
            return some

    return DeadlineConnection
