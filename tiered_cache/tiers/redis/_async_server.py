"""A pool of connections to one Redis server for one event loop of `asyncio`.

`redis.asyncio` connects, logs in and does TLS. Its pool, retries, timeouts and parser are not used:
one deadline covers a whole exchange, as it does for threads.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from redis._parsers import _AsyncRESP2Parser
from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tiered_cache.errors import TierTimeoutError, TierUnavailableError
from tiered_cache.tiers.redis._async_timeout import LoopTimeout
from tiered_cache.tiers.redis._resp import ReplyParser, pack_commands
from tiered_cache.tiers.redis._urls import connection_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.tiers.redis._resp import Command
    from tiered_cache.tiers.redis._server_connections import ServerConnections

__all__ = ["AsyncServerConnections"]

_CLOSING_S = 1.0
_READ_BYTES = 256 * 1024
_PARTS_OF_WAITING = 4
_MOST_WAITS = 20
"""Most deadlines that an exchange waits for a connection, as long as other exchanges finish."""


class AsyncServerConnections:
    """Exchanges of commands and replies with one server, for one event loop.

    Args:
        pool: The pool for threads, which has the address and the limits.

    Not thread-safe.
    """

    def __init__(self, pool: ServerConnections) -> None:
        self._pool = pool
        options = connection_options(
            pool.url,
            parse_url,
            socket_timeout=None,
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
            # redis-py would read the handshake with hiredis if it is installed: see _resp.
            parser_class=_AsyncRESP2Parser,
        )
        base = options.pop("connection_class", None) or Connection
        self._options = options
        self._connection_class = _abortable_connection(base)
        self._turns = asyncio.Semaphore(pool.max_connections)
        self._idle: list[Any] = []
        self._answered = 0
        self._is_closed = False

    async def exchange(self, commands: Sequence[Command], extra_s: float) -> list[Any]:
        """The replies to `commands`. Raises as `ServerConnections.exchange`.

        Thousands of tasks may want a connection at once, which is no fault of the server. So the
        deadline begins when the exchange has a connection. It waits for one as long as other
        exchanges finish.
        """
        pieces = list(pack_commands(commands))
        try:
            await self._take_turn()
            try:
                async with LoopTimeout(self._pool.timeout_s + extra_s):
                    return await self._use_turn(pieces, len(commands))
            finally:
                self._turns.release()
        except TimeoutError as error:
            if isinstance(error, TierTimeoutError):
                raise
            raise self._pool.to_tier_error(error) from error

    async def _take_turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        answered, waits = self._answered, _MOST_WAITS

        def extend() -> bool:
            nonlocal answered, waits
            before, answered, waits = answered, self._answered, waits - 1
            return waits > 0 and answered != before

        async with LoopTimeout(self._pool.timeout_s, _PARTS_OF_WAITING, extend):
            await self._turns.acquire()

    async def _use_turn(self, pieces: Sequence[bytes], count: int) -> list[Any]:
        while True:
            connection = self._idle.pop() if self._idle else None
            is_new = connection is None
            try:
                if connection is None:
                    connection = await self._connect()
                return await self._exchange_on(connection, pieces, count)
            except TierTimeoutError:
                raise
            except TierUnavailableError:
                if is_new:
                    raise
                # The server was restarted, so every other idle connection is closed as well.
                await self._drop_idle()

    async def _connect(self) -> Any:
        connection = self._connection_class(**self._options)
        try:
            async with LoopTimeout(self._pool.connect_timeout_s):
                await connection.connect()
        except BaseException as error:
            await _drop(connection)
            if isinstance(error, Exception):
                raise self._pool.to_connect_error(error) from error
            raise
        return connection

    async def _exchange_on(self, connection: Any, pieces: Sequence[bytes], count: int) -> list[Any]:
        try:
            await connection.send_packed_command(pieces, check_health=False)
            parser = ReplyParser(count)
            while not parser.feed(await connection.read_some()):
                pass
        except BaseException as error:
            await _drop(connection)
            if isinstance(error, Exception):
                raise self._pool.to_tier_error(error) from error
            raise
        self._answered += 1
        if self._is_closed:
            await _drop(connection)
        else:
            self._idle.append(connection)
        return parser.replies

    async def close(self) -> None:
        """Close the idle connections now, and each one in use when its exchange ends."""
        self._is_closed = True
        await self._drop_idle()

    async def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSING_S):
                    await connection.disconnect()


async def _drop(connection: Any) -> None:
    """Close a connection at once, without sending the rest."""
    connection.abort()
    with contextlib.suppress(Exception):
        await connection.disconnect(nowait=True)


def _abortable_connection(base: type[Any]) -> type[Any]:
    class AbortableConnection(base):  # type: ignore[misc] # a class by argument
        def abort(self) -> None:
            # close() would wait until a frozen server has taken everything that was sent.
            if self._writer is not None:
                self._writer.transport.abort()

        async def read_some(self) -> bytes:
            data: bytes = await self._reader.read(_READ_BYTES)
            if not data:
                msg = "the server closed the connection"
                raise ConnectionError(msg)
            return data

    return AbortableConnection
