"""A pool of connections to one Redis server, with one deadline for each exchange.

redis-py connects, logs in and sends. Its pool, retries and parser take most of the time of a GET,
and are not used. Nor are its timeouts: they hold for one `recv` each, so a server that sends a byte
a second is waited for without end. Here the socket knows the deadline of the exchange.
"""

from __future__ import annotations

import ssl
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from redis._parsers import _RESP2Parser
from redis.backoff import NoBackoff
from redis.connection import Connection, parse_url
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from tiered_cache._process.fork import call_in_child
from tiered_cache.errors import TierError, TierTimeoutError, TierUnavailableError
from tiered_cache.tiers.redis._resp import ReplyParser, pack_commands
from tiered_cache.tiers.redis._urls import connection_options

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from tiered_cache.tiers.redis._resp import Command

__all__ = ["ServerConnections"]

_READ_BYTES = 65_536
_CHECK_LOGIN = "check the user, password and database in the URL (redis_url)"
_START_SERVER = "start a server there, correct the URL (redis_url) or use another backend"


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


class ServerConnections:
    """Exchanges of commands and replies with one server.

    Args:
        url: `redis://`, `rediss://` (TLS) or `unix://`, as redis-py reads it.
        timeout_s: Deadline of an exchange, waiting for a connection included.
        connect_timeout_s: Deadline of connecting, the handshake included.
        max_connections: Most connections, and so most threads served at the same time.
        node: A host and port that replace those of the URL.

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
        self._options = connection_options(
            url,
            parse_url,
            socket_timeout=timeout_s,
            socket_connect_timeout=connect_timeout_s,
            retry=Retry(NoBackoff(), 0),
            # redis-py would read the handshake with hiredis if it is installed: see _resp.
            parser_class=_RESP2Parser,
        )
        base = self._options.pop("connection_class", None) or Connection
        self._connection_class = _deadline_connection(base)
        if node is not None:
            self._options["host"], self._options["port"] = node
        self._start()
        call_in_child(self._start)

    def _start(self) -> None:
        self._idle: SimpleQueue[Any] = SimpleQueue()
        self._unmade = threading.BoundedSemaphore(self.max_connections)

    @property
    def address(self) -> str:
        """The address of the server, without credentials."""
        options = self._options
        if "path" in options:
            return f"unix://{options['path']}"
        return f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"

    def exchange(self, commands: Sequence[Command], extra_s: float = 0.0) -> list[Any]:
        """The replies to `commands`, sent in one go; a `ResponseError` stands for its reply.

        An idle connection that turns out to be closed is replaced once: a restart of the server is
        no fault. Commands that block may take `extra_s` more.

        Raises:
            TierTimeoutError: The deadline passed.
            TierUnavailableError: The server is unreachable, refused the connection, or does not
                speak the Redis protocol.
        """
        return self.exchange_by(commands, time.monotonic() + self.timeout_s + extra_s)

    def exchange_by(self, commands: Sequence[Command], at: float) -> list[Any]:
        """As `exchange`, with a deadline on the monotonic clock."""
        while True:
            connection, is_new = self._take(at)
            try:
                replies = self._exchange_on(connection, commands, at)
            except TierTimeoutError:
                raise
            except TierUnavailableError:
                if is_new:
                    raise
                self._drop_idle()
            else:
                self._idle.put(connection)
                return replies

    def _exchange_on(self, connection: Any, commands: Sequence[Command], at: float) -> list[Any]:
        connection.deadline.at = at
        try:
            connection.send_packed_command(pack_commands(commands), check_health=False)
            parser = ReplyParser(len(commands))
            while not parser.feed(connection.read_some()):
                pass
            return parser.replies
        except BaseException as error:
            self._drop(connection)
            if isinstance(error, Exception):
                raise self.to_tier_error(error) from error
            raise

    def _take(self, at: float) -> tuple[Any, bool]:
        """An idle connection or a new one, and whether it is new. Waits if all are in use."""
        try:
            return self._idle.get_nowait(), False
        except Empty:
            pass
        if not self._unmade.acquire(blocking=False):
            try:
                return self._idle.get(timeout=max(0.0, at - time.monotonic())), False
            except Empty:
                msg = f"all {self.max_connections} connections to {self.address} were busy for {self.timeout_s:g} s: raise max_connections or timeout"
                raise TierTimeoutError(msg) from None
        return self._connect(at), True

    def _connect(self, at: float) -> Any:
        connection = self._connection_class(**self._options)
        connection.deadline.at = min(at, time.monotonic() + self.connect_timeout_s)
        try:
            connection.connect()
        except BaseException as error:
            self._drop(connection)
            if isinstance(error, Exception):
                raise self.to_connect_error(error) from error
            raise
        return connection

    def _drop(self, connection: Any) -> None:
        connection.disconnect()
        self._unmade.release()

    def _drop_idle(self) -> None:
        while True:
            try:
                self._drop(self._idle.get_nowait())
            except Empty:
                return

    def to_tier_error(self, error: Exception, remedy: str | None = None) -> TierUnavailableError:
        """The exception of this package for one that an exchange raised, with `remedy` if given."""
        ending = f"; {remedy}" if remedy else ""
        if isinstance(error, RedisTimeoutError | TimeoutError):
            msg = f"no answer from {self.address} within its deadline of {self.timeout_s:g} s"
            return TierTimeoutError(msg + ending, remedy=remedy)
        if isinstance(error, RedisError | OSError):
            # redis-py's messages name addresses, users and commands, never passwords.
            msg = f"{self.address}: {str(error).rstrip('.') or type(error).__name__}"
        else:
            msg = f"{self.address} does not answer in the Redis protocol ({type(error).__name__})"
        return TierUnavailableError(msg + ending, remedy=remedy)

    def to_connect_error(self, error: Exception) -> TierUnavailableError:
        """The exception of this package for one that connecting raised, with a remedy."""
        if isinstance(error, AuthenticationError | ResponseError):
            return self.to_tier_error(error, _CHECK_LOGIN)
        if isinstance(error, RedisTimeoutError | TimeoutError):
            return self.to_tier_error(error, _START_SERVER)
        # redis-py raises its own exception while it handles the system's.
        cause = error if isinstance(error, OSError) else error.__context__
        if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError | TierError):
            reason = cause.strerror or cause
            msg = f"can't connect to {self.address}: {reason}; {_START_SERVER}"
            return TierUnavailableError(msg, remedy=_START_SERVER)
        return self.to_tier_error(error)

    def use_slot_of(self, name: bytes) -> None:
        """Do nothing: a single server has every slot."""

    def sole_address(self) -> str:
        """The address of the server, which has all keys."""
        return self.address

    def close(self) -> None:
        """Close the idle connections. One in use stays open, and idle once it is returned."""
        self._drop_idle()


def _deadline_connection(base: type[Any]) -> type[Any]:
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
