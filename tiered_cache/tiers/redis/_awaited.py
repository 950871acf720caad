"""The Redis tier for an event loop of `asyncio`: the same talks, over connections that are awaited.

`redis.asyncio` connects, logs in and does TLS; its pool, retries, timeouts and parser are not used: a
whole exchange has one deadline, as it has for threads, and is read by `_resp`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tiered_cache.errors import TierTimeoutError, TierUnavailableError
from tiered_cache.tiers.redis._leases import POLL_S
from tiered_cache.tiers.redis._resp import Replies
from tiered_cache.tiers.redis._wire import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from tiered_cache.contracts import Absent, Found, PutItem
    from tiered_cache.contracts.leases import LeaseAnswer
    from tiered_cache.tiers.redis._connection import Command, Talk
    from tiered_cache.tiers.redis._leases import LeaseTalk
    from tiered_cache.tiers.redis._records import RecordTalk
    from tiered_cache.tiers.redis._wire import RedisWire

__all__ = ["AwaitedRedis"]

_CLOSING_S = 1.0
_CHUNK_BYTES = 256 * 1024
_PARTS = 25
_PARTS_OF_WAITING = 4
"""Fewer: thousands may wait."""

_MOST_WAITS = 20
"""How many times the deadline an exchange may wait for a connection, while others are answered."""

T = TypeVar("T")


class _TimeLimit:
    """A block of code that may take so many seconds, then a `TimeoutError` is raised in it.

    They are counted in parts, by a loop that goes round: a part that took longer, because the loop was
    kept busy, counts as one. A program that computes for a second in its loop, or has thousands of
    tasks, would else find every server sick.

    Args:
        seconds: The longest that it may take.
        parts: In so many.
        goes_on: Asked when the time is over: whether to wait as long once more.
    """

    def __init__(
        self, seconds: float, parts: int = _PARTS, goes_on: Callable[[], bool] = bool
    ) -> None:
        self._part_s = seconds / parts
        self._parts = parts
        self._goes_on = goes_on
        self._scope = asyncio.timeout(None)

    async def __aenter__(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._scope.__aenter__()
        self._wait(self._parts)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._next.cancel()
        await self._scope.__aexit__(kind, error, traceback)

    def _wait(self, parts: int) -> None:
        self._next = self._loop.call_later(self._part_s, self._look, parts - 1)

    def _look(self, parts: int) -> None:
        if parts:
            self._wait(parts)
        elif self._goes_on():
            self._wait(self._parts)
        else:
            self._scope.reschedule(self._loop.time())


class _AwaitedWire:
    """Exchanges of commands and replies with one server, for one event loop.

    Args:
        wire: The one for threads, whose address and limits it has.
    """

    def __init__(self, wire: RedisWire) -> None:
        self._wire = wire
        self._connection_class, self._options = _parse(wire.url)
        self._turns = asyncio.Semaphore(wire.max_connections)
        self._idle: list[Any] = []
        self._answered = 0
        self._is_closed = False

    async def exchange(self, commands: Sequence[Command], extra_s: float) -> list[Any]:
        """The replies to `commands`, as of `RedisWire.exchange`; it raises the same.

        But for this: thousands of tasks may want one of the connections at once, which is no fault of
        the server. So the deadline begins with the turn, which is waited for while others are answered.
        """
        pieces = list(pack(commands))
        try:
            await self._take_turn()
            try:
                async with _TimeLimit(self._wire.timeout_s + extra_s):
                    return await self._have_turn(pieces, len(commands))
            finally:
                self._turns.release()
        except TimeoutError as error:
            if isinstance(error, TierTimeoutError):
                raise
            raise self._wire.translate(error) from error

    async def _take_turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        answered, waits = self._answered, _MOST_WAITS

        def goes_on() -> bool:
            nonlocal answered, waits
            before, answered, waits = answered, self._answered, waits - 1
            return waits > 0 and answered != before

        async with _TimeLimit(self._wire.timeout_s, _PARTS_OF_WAITING, goes_on):
            await self._turns.acquire()

    async def _have_turn(self, pieces: Sequence[bytes], count: int) -> list[Any]:
        while True:
            connection = self._idle.pop() if self._idle else None
            is_new = connection is None
            try:
                if connection is None:
                    connection = await self._connect()
                return await self._converse(connection, pieces, count)
            except TierTimeoutError:
                raise
            except TierUnavailableError:
                if is_new:
                    raise
                # The server was restarted: none of the others is of any use.
                await self._drop_idle()

    async def _connect(self) -> Any:
        connection = self._connection_class(**self._options)
        try:
            async with _TimeLimit(self._wire.connect_timeout_s):
                await connection.connect()
        except BaseException as error:
            await _drop(connection)
            if isinstance(error, Exception):
                raise self._wire.translate(error) from error
            raise
        return connection

    async def _converse(self, connection: Any, pieces: Sequence[bytes], count: int) -> list[Any]:
        try:
            await connection.send_packed_command(pieces, check_health=False)
            replies = Replies(count)
            while not replies.feed(await connection.read_some()):
                pass
        except BaseException as error:
            await _drop(connection)
            if isinstance(error, Exception):
                raise self._wire.translate(error) from error
            raise
        self._answered += 1
        if self._is_closed:
            await _drop(connection)
        else:
            self._idle.append(connection)
        return replies.read

    async def close(self) -> None:
        """Close the idle connections now, and those in use when they are given back."""
        self._is_closed = True
        await self._drop_idle()

    async def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSING_S):
                    await connection.disconnect()


class AwaitedRedis:
    """Implements `AwaitedTier`: has the talks of a Redis tier over connections of its own.

    Args:
        wire: The tier's own, for threads.
        records: What is said of records.
        leases: What is said of leases.
    """

    def __init__(self, wire: RedisWire, records: RecordTalk, leases: LeaseTalk) -> None:
        self._server = wire
        self._wire = _AwaitedWire(wire)
        self._records = records
        self._leases = leases
        self._may_block = asyncio.Semaphore(max(1, wire.max_connections // 2))

    async def _converse(self, talk: Talk[T]) -> T:
        try:
            ask = next(talk)
            while True:
                try:
                    replies = await self._wire.exchange(ask.commands, ask.extra_s)
                except TierUnavailableError as error:
                    ask = talk.throw(error)
                else:
                    ask = talk.send(replies)
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def get(self, key: str) -> Found | Absent:
        """The record of `key`, in one round trip."""
        return await self._converse(self._records.get(key))

    async def get_many(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """The records of `keys`, in one round trip."""
        return await self._converse(self._records.get_many(keys))

    async def get_heads(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """The beginnings of the records of `keys`, in one round trip."""
        return await self._converse(self._records.get_heads(keys))

    async def put(self, key: str, item: PutItem) -> bool:
        """Store a record, in one round trip."""
        return await self._converse(self._records.put(key, item))

    async def put_many(self, items: Mapping[str, PutItem]) -> set[str]:
        """Store each of `items`, some 8 MiB of them in a round trip."""
        return await self._converse(self._records.put_many(items))

    async def delete(self, key: str) -> bool:
        """Put a tombstone in the place of `key`."""
        return await self._converse(self._records.delete(key))

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Put tombstones in the places of `keys`, some 500 keys a round trip."""
        return await self._converse(self._records.delete_many(keys))

    async def clear(self, prefix: str) -> int:
        """Remove every key that begins with `prefix`, some 500 keys a round trip."""
        talk = self._records.clear(prefix, lambda _: None, self._server.whole_at)
        return await self._converse(talk)

    async def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
        """Ask for the lease of `key`."""
        return await self._converse(self._leases.acquire(key, owner, lifetime_s))

    async def release(self, key: str, owner: str) -> None:
        """Give the lease back; who waits is woken."""
        await self._converse(self._leases.release(key, owner))

    async def wait(self, key: str, seen: object, timeout_s: float) -> None:
        """Wait until the lease is given back, or `timeout_s` is over."""
        if self._may_block.locked():
            await asyncio.sleep(min(timeout_s, POLL_S))
            return
        async with self._may_block:
            await self._converse(self._leases.wait(key, seen, timeout_s))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.close()


async def _drop(connection: Any) -> None:
    """Close a connection at once, whatever is left to be sent."""
    connection.abort()
    with contextlib.suppress(Exception):
        await connection.disconnect(nowait=True)


def _parse(url: str) -> tuple[type[Any], dict[str, Any]]:
    # `RedisWire` has read it before, so that it is known to be usable.
    options: dict[str, Any] = dict(parse_url(url))
    base: Any = options.pop("connection_class", None) or Connection
    options |= {
        "socket_timeout": None,
        "socket_connect_timeout": None,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "decode_responses": False,
    }
    return _that_aborts(base), options


def _that_aborts(base: type[Any]) -> type[Any]:
    class AbortingConnection(base):  # type: ignore[misc] # a class by argument
        def abort(self) -> None:
            # close() would wait until a server that is frozen has taken all that was sent.
            if self._writer is not None:
                self._writer.transport.abort()

        async def read_some(self) -> bytes:
            data: bytes = await self._reader.read(_CHUNK_BYTES)
            if not data:
                msg = "the server closed the connection"
                raise ConnectionError(msg)
            return data

    return AbortingConnection
