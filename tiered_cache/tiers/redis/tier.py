"""The Redis tier: records in a Redis or Valkey server, shared by hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.contracts import ANY, Absent, Found, PutItem, Reach, TierContext, TierInfo
from tiered_cache.entry import MIN_VALUE_BYTES, Entry
from tiered_cache.errors import ConfigurationError, TierUnavailableError
from tiered_cache.tiers.redis._board import RedisBoard
from tiered_cache.tiers.redis._change_log import RedisLog
from tiered_cache.tiers.redis._cluster import make_wire
from tiered_cache.tiers.redis._connection import Speaker, Talk, converse
from tiered_cache.tiers.redis._leases import LeaseTalk, RedisLeases
from tiered_cache.tiers.redis._records import RecordTalk
from tiered_cache.tiers.redis._wire import RedisWire
from tiered_cache.units import Duration, Size, parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from tiered_cache.contracts import AwaitedTier
    from tiered_cache.contracts.boards import Board
    from tiered_cache.contracts.change_log import ChangeLog
    from tiered_cache.contracts.leases import Leases

    T = TypeVar("T")

__all__ = ["RedisTier", "prefix_of"]


def prefix_of(namespace: str) -> bytes:
    """What the names of a namespace's keys begin with: the hash tag keeps them together in a cluster."""
    return f"tiered-cache:{{{namespace}}}:".encode()  # no namespace has a brace


class RedisTier:
    """Records in a Redis or Valkey server, or cluster.

    Every key is `tiered-cache:{<namespace>}:<key>`, whatever else the server is used for; nothing
    is ever flushed, and keys are listed with `SCAN`. The braces are a hash tag: in a cluster, a
    namespace is on one node, so that a change and its log are one step there too. A read costs one round trip,
    so do the reads or writes of many keys. The remaining lifetime is the server's own, so that the clocks of
    the hosts don't matter. Event loops of `asyncio` have connections of their own, as many at most for each;
    a cluster is asked in threads.

    Args:
        url: The server: `redis://[user:password@]host:port/database`, `rediss://` for TLS,
            `unix:///path/to/socket`. A cluster: `redis+cluster://[user:password@]host:port,…`,
            or `rediss+cluster://`, with those nodes that are asked first where a key is.
        timeout: How long a call may take, connecting and all nodes that are asked included. Threads
            also wait for a connection within it; tasks wait while others are answered, and then
            have all of it.
        connect_timeout: How long connecting may take; no longer than `timeout`.
        max_value_bytes: The longest record that it stores or reads.
        max_connections: How many connections this process makes at most.
        name: Its name in statistics and events.

    Thread-safe and fork-safe: a connection is used by one thread at a time. Resolving a host name
    is left to the system's resolver and its timeouts.

    Raises:
        ConfigurationError: The URL is not usable.
    """

    reach = Reach.CLUSTER
    holds_records = True

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        *,
        timeout: Duration = "500ms",
        connect_timeout: Duration = "500ms",
        max_value_bytes: Size = "64MiB",
        max_connections: int = 32,
        name: str = "redis",
    ) -> None:
        self.name = name
        self._max_value_bytes = parse_size(max_value_bytes, name="max_value_bytes")
        if self._max_value_bytes < MIN_VALUE_BYTES:
            msg = f"max_value_bytes={max_value_bytes!r} of the Redis tier must be at least {MIN_VALUE_BYTES}: no record is shorter"
            raise ConfigurationError(msg)
        if max_connections < 1:
            msg = f"max_connections={max_connections!r} of the Redis tier must be at least 1"
            raise ConfigurationError(msg)
        self._wire = make_wire(
            url,
            timeout_s=parse_duration(timeout, name="timeout"),
            connect_timeout_s=parse_duration(connect_timeout, name="connect_timeout"),
            max_connections=max_connections,
        )
        speaker = Speaker(name, self._wire.address)
        self._lease_talk = LeaseTalk(speaker)
        self._board = RedisBoard(lambda *asked: self._converse(speaker.ask_all(*asked)), name)
        self._leases = RedisLeases(self._lease_talk, self._converse, max_connections // 2)
        self._log = RedisLog(speaker, self._converse, max_connections // 2)
        self._records = RecordTalk(speaker, self._log, name, self._max_value_bytes)

    def _converse(self, talk: Talk[T]) -> T:
        return converse(self._wire.exchange, talk)

    def open(self, context: TierContext) -> None:
        """Reach the server once, so that a wrong address, password or database is told at once."""
        prefix = prefix_of(context.namespace)
        self._wire.serve(prefix)
        self._records.open(prefix, context.origin, context.clock.wall)
        # No namespace has a slash: what is kept beside the records is no key of anybody's.
        aside = f"tiered-cache:{{{context.namespace}}}/"
        self._lease_talk.open(aside)
        self._board.open(f"{aside}statistics".encode())
        self._log.open(
            f"redis:{self._wire.address}/{aside}",
            f"{aside}log".encode(),
            f"{aside}generation".encode(),
        )

    def awaited(self) -> AwaitedTier | None:
        """The same tier for the running event loop of `asyncio`; a cluster is asked by threads."""
        if not isinstance(self._wire, RedisWire):
            return None
        from tiered_cache.tiers.redis._awaited import AwaitedRedis

        return AwaitedRedis(self._wire, self._records, self._lease_talk)

    @property
    def board(self) -> Board:
        """Where all hosts publish their statistics."""
        return self._board

    @property
    def log(self) -> ChangeLog:
        """What the hosts changed, in the order of the server."""
        return self._log

    @property
    def leases(self) -> Leases:
        """Leases that hosts agree on, by the server's clock."""
        return self._leases

    def get(self, key: str) -> Found | Absent:
        """The record of `key`, in one round trip."""
        return self._converse(self._records.get(key))

    def get_many(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """The records of `keys`, in one round trip."""
        return self._converse(self._records.get_many(keys))

    def get_heads(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """The beginnings of the records of `keys`, in one round trip of half as many commands."""
        return self._converse(self._records.get_heads(keys))

    def put(
        self,
        key: str,
        item: Entry | bytes,
        lifetime_s: float,
        *,
        expected: object = ANY,
        fill: bool = False,
    ) -> bool:
        """Store the record `item`, in one round trip."""
        return self._converse(self._records.put(key, PutItem(item, lifetime_s, expected, fill)))

    def put_many(self, items: Mapping[str, PutItem]) -> set[str]:
        """Store each of `items`, some 8 MiB of them in a round trip."""
        return self._converse(self._records.put_many(items))

    def delete(self, key: str) -> bool:
        """Put a tombstone in the place of `key`."""
        return self._converse(self._records.delete(key))

    def delete_many(self, keys: Sequence[str]) -> int:
        """Put tombstones in the places of `keys`, some 500 keys a round trip."""
        return self._converse(self._records.delete_many(keys))

    def clear(self, prefix: str = "") -> int:
        """Remove every key that begins with `prefix`, some 500 keys a round trip."""
        return self.clear_in_steps(prefix, lambda _: None)

    def clear_in_steps(self, prefix: str, stepped: Callable[[int], object]) -> int:
        """Do the same, and call `stepped` after each round trip."""
        return self._converse(self._records.clear(prefix, stepped, self._whole_at))

    def _whole_at(self) -> str:
        """The server that has all keys."""
        try:
            return self._wire.whole_at()
        except TierUnavailableError as error:
            error.tier, error.operation = self.name, "clear"
            raise

    def fence(self, prefix: str) -> None:
        """Refuse fills that began before now, and log that keys which begin with `prefix` changed."""
        self._converse(self._records.fence(prefix))

    def scan(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with `prefix`, some 500 keys a round trip, each given once.

        Costs a walk over all keys of the server's database, and memory for the keys found.
        """
        seen: set[bytes] = set()
        cursor: bytes | None = b"0"
        while cursor is not None:
            cursor, keys = self._converse(self._records.scan(cursor, prefix, seen))
            yield from keys

    def info(self) -> TierInfo:
        """Where it is. A server does not know how many keys a prefix has without a walk."""
        return TierInfo(detail=self._wire.address)

    def close(self) -> None:
        """Close the idle connections."""
        self._wire.close()
