"""The Redis tier: records on a Redis or Valkey server, shared by hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.contracts import CONTRACT, BaseTier, Offers, Reach, TierInfo
from tiered_cache.entry import MIN_VALUE_BYTES
from tiered_cache.errors import ConfigurationError, TierUnavailableError
from tiered_cache.tiers.redis._board import RedisBoard
from tiered_cache.tiers.redis._change_log import RedisLog
from tiered_cache.tiers.redis._client import RedisClient, Steps, run
from tiered_cache.tiers.redis._leases import LeaseCommands, RedisLeases
from tiered_cache.tiers.redis._records import RecordCommands
from tiered_cache.tiers.redis._scans import ScanCommands
from tiered_cache.tiers.redis._server_connections import ServerConnections
from tiered_cache.tiers.redis.connections import make_connections
from tiered_cache.tiers.redis.keyspace import record_prefix, side_prefix
from tiered_cache.units import Duration, Size, bytes_text, parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from tiered_cache.contracts import Absent, AwaitedTier, Found, Put, TierContext

    T = TypeVar("T")

__all__ = ["RedisTier"]


class RedisTier(BaseTier[bytes]):
    """A tier that stores records on a Redis or Valkey server, or a cluster, shared by all hosts.

    Put it last in a stack: `TieredCache([MemoryTier(), RedisTier("redis://cache:6379/0")])`. A
    server that is away costs misses, never exceptions, unless the cache is `strict` or has no
    other tier.

    The server may hold other data. Every key is `tiered-cache:{<namespace>}:<key>`; keys are listed
    with `SCAN`, and nothing is ever flushed. The braces are a hash tag: on a cluster, a namespace
    is on one node, where a change and its log entry are one step.

    A read costs one round trip, and so does a read or write of many keys. The server counts the
    remaining lifetime, so the clocks of the hosts don't matter. Each event loop of `asyncio` has
    its own connections, with the same limit; a cluster is asked from threads.

    Args:
        url: The server: `redis://[user:password@]host:port/database`, `rediss://` for TLS,
            `unix:///path/to/socket`. A cluster: `redis+cluster://[user:password@]host:port,…` or
            `rediss+cluster://`, with the nodes to ask first.
        timeout: Deadline of a call, connecting and all nodes of a cluster included. A thread also
            waits for a connection within it. A task waits as long as other tasks are answered,
            and then has the full deadline.
        connect_timeout: Deadline of connecting, within `timeout`.
        max_value_bytes: The longest record that it stores or reads.
        max_connections: Most connections of this process.
        name: The tier's name in statistics and events.

    Thread-safe and fork-safe: one thread at a time uses a connection. The system's resolver
    resolves host names, with its own timeouts.

    Raises:
        ConfigurationError: The URL or a limit is not usable.
    """

    contract = CONTRACT
    reach = Reach.CLUSTER

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
            msg = f"max_value_bytes={max_value_bytes!r} of the Redis tier is shorter than any record: write at least {MIN_VALUE_BYTES}"
            raise ConfigurationError(msg)
        if max_connections < 1:
            msg = f"max_connections={max_connections!r} of the Redis tier allows no connection: write at least 1"
            raise ConfigurationError(msg)
        self._connections = make_connections(
            url,
            timeout_s=parse_duration(timeout, name="timeout"),
            connect_timeout_s=parse_duration(connect_timeout, name="connect_timeout"),
            max_connections=max_connections,
        )
        client = RedisClient(name, self._connections.address)
        self._lease_commands = LeaseCommands(client)
        self._board = RedisBoard(lambda *request: self._run(client.call_all(*request)), name)
        self._log = RedisLog(client, self._run, max_connections // 2)
        self._records = RecordCommands(client, self._log, name, self._max_value_bytes)
        self._scans = ScanCommands(client, self._log, name)
        self.offers: Offers = Offers(
            durable=True,
            leases=RedisLeases(self._lease_commands, self._run, max_connections // 2),
            change_log=self._log,
            board=self._board,
            heads=self.get_heads,
            fence=self.fence,
            steps=self.clear_in_steps,
            awaited=self.awaited,
        )

    def __repr__(self) -> str:
        place, most = self._connections.address, bytes_text(self._max_value_bytes)
        return f"<{type(self).__name__} {self.name}: {place}, at most {most} a value>"

    def _run(self, steps: Steps[T]) -> T:
        return run(self._connections.exchange, steps)

    def open(self, context: TierContext) -> None:
        """Connect once, so that a wrong address, password or database raises at once."""
        prefix = record_prefix(context.namespace)
        self._connections.use_slot_of(prefix)
        self._records.open(prefix, context.origin, context.clock.wall)
        self._scans.open(prefix, context.origin)
        aside = side_prefix(context.namespace)
        self._lease_commands.open(aside)
        self._board.open(f"{aside}statistics".encode())
        self._log.open(
            f"redis:{self._connections.address}/{aside}",
            f"{aside}log".encode(),
            f"{aside}generation".encode(),
        )

    def awaited(self) -> AwaitedTier | None:
        """The same tier for the running event loop of `asyncio`; `None` for a cluster."""
        if not isinstance(self._connections, ServerConnections):
            return None
        from tiered_cache.tiers.redis._async_tier import AsyncRedis

        return AsyncRedis(self._connections, self._records, self._scans, self._lease_commands)

    def get(self, key: str) -> Found[bytes] | Absent:
        """The record of `key`, in one round trip."""
        return self._run(self._records.get(key))

    def get_many(self, keys: Sequence[str]) -> dict[str, Found[bytes] | Absent]:
        """The records of `keys`, in one round trip."""
        return self._run(self._records.get_many(keys))

    def get_heads(self, keys: Sequence[str]) -> dict[str, Found[bytes] | Absent]:
        """The first bytes of the records of `keys`, some 500 keys a round trip."""
        return self._run(self._records.get_heads(keys))

    def put(self, key: str, put: Put[bytes]) -> bool:
        """Store a record, in one round trip."""
        return self._run(self._records.put(key, put))

    def put_many(self, puts: Mapping[str, Put[bytes]]) -> set[str]:
        """Store each of `puts`, some 8 MiB of them a round trip."""
        return self._run(self._records.put_many(puts))

    def delete(self, key: str) -> bool:
        """Replace `key` by a tombstone."""
        return self._run(self._records.delete(key))

    def delete_many(self, keys: Sequence[str]) -> int:
        """Replace `keys` by tombstones, some 500 keys a round trip."""
        return self._run(self._records.delete_many(keys))

    def clear(self, prefix: str = "") -> int:
        """Remove every key that begins with `prefix`, some 500 keys a round trip."""
        return self.clear_in_steps(prefix, lambda _: None)

    def clear_in_steps(self, prefix: str, stepped: Callable[[int], object]) -> int:
        """Do the same, and call `stepped` with the keys removed so far after each round trip."""
        return self._run(self._scans.clear(prefix, stepped, self._sole_address))

    def _sole_address(self) -> str:
        try:
            return self._connections.sole_address()
        except TierUnavailableError as error:
            error.tier, error.operation = self.name, "clear"
            raise

    def fence(self, prefix: str) -> None:
        """Refuse fills that began before now, and log a change of all keys that begin with `prefix`."""
        self._run(self._scans.fence(prefix))

    def scan(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with `prefix`, some 500 keys a round trip, each one once.

        Costs a walk over all keys of the server's database, and memory for the keys found.
        """
        seen: set[bytes] = set()
        cursor: bytes | None = b"0"
        while cursor is not None:
            cursor, keys = self._run(self._scans.scan(cursor, prefix, seen))
            yield from keys

    def info(self) -> TierInfo:
        """The address. Counting the keys of a prefix would take a walk over the database."""
        return TierInfo(detail=self._connections.address)

    def close(self) -> None:
        """Close the idle connections."""
        self._connections.close()
