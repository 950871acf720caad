"""The Redis tier: records in a Redis or Valkey server, shared by hosts."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from redis.exceptions import OutOfMemoryError, ResponseError

from tiered_cache.clock import SYSTEM_CLOCK
from tiered_cache.contracts import ANY, Absent, Found, PutItem, Reach, TierContext, TierInfo
from tiered_cache.entry import (
    HEAD_BYTES,
    MIN_VALUE_BYTES,
    TOKEN_BYTES,
    TOMBSTONE_LIFETIME_S,
    TOMBSTONE_MAGIC,
    Entry,
    deleted_at,
    is_tombstone,
    make_tombstone,
)
from tiered_cache.errors import (
    ConfigurationError,
    CorruptRecordError,
    RecordRefusedError,
    TierUnavailableError,
)
from tiered_cache.tiers._redis_leases import RedisLeases
from tiered_cache.tiers._redis_log import LOG_FUNCTION, RedisLog
from tiered_cache.tiers._redis_wire import RedisWire
from tiered_cache.units import Duration, Size, parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tiered_cache.changes import ChangeLog
    from tiered_cache.leases import Leases
    from tiered_cache.tiers._redis_wire import Command

__all__ = ["RedisTier"]

_log = logging.getLogger("tiered_cache.tiers.redis")

_BATCH = 500
_PUT = f"""{LOG_FUNCTION}
if ARGV[1] ~= '*' then
  local there = redis.call('GETRANGE', KEYS[1], 0, {TOKEN_BYTES - 1})
  if there ~= '' then
    if there ~= ARGV[1] then return 0 end
  else
    local generation = redis.call('GET', KEYS[2])
    if generation ~= ARGV[1] then return generation or '' end
  end
end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
if ARGV[4] ~= '' then log(KEYS[3], ARGV[4], ARGV[5], ARGV[6]) end
return 1
"""
_DELETE = f"""{LOG_FUNCTION}
local head = redis.pcall('GETRANGE', KEYS[1], 0, {len(TOMBSTONE_MAGIC) - 1})
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
log(KEYS[2], ARGV[4], ARGV[5], ARGV[6])
if head == '' or head == ARGV[3] then return 0 end
return 1
"""
_ANY = "*"


class RedisTier:
    """Records in a Redis or Valkey server.

    Every key is `tiered-cache:<namespace>:<key>`, whatever else the server is used for; nothing
    is ever flushed, and keys are listed with `SCAN`. A read costs one round trip, so do the reads
    or writes of many keys. The remaining lifetime is the server's own, so that the clocks of the
    hosts don't matter.

    Args:
        url: The server: `redis://[user:password@]host:port/database`, `rediss://` for TLS,
            `unix:///path/to/socket`.
        timeout: How long a call may take, connecting included.
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
        self._wire = RedisWire(
            url,
            timeout_s=parse_duration(timeout, name="timeout"),
            connect_timeout_s=parse_duration(connect_timeout, name="connect_timeout"),
            max_connections=max_connections,
        )
        self._prefix = b""
        self._aside = ""
        self._leases = RedisLeases(self._ask_all, self._name_aside, max_connections // 2)
        self._log = RedisLog(self._ask_all, max_connections // 2)
        self._origin: Callable[[], str] = str
        self._wall = SYSTEM_CLOCK.wall

    def open(self, context: TierContext) -> None:
        """Reach the server once, so that a wrong address, password or database is told at once."""
        self._prefix = f"tiered-cache:{context.namespace}:".encode()
        self._wall = context.clock.wall
        # No namespace has a slash: what is kept beside the records is no key of anybody's.
        self._aside = f"tiered-cache:{context.namespace}/"
        self._origin = context.origin
        self._log.open(
            f"redis:{self._wire.address}/{self._aside}",
            f"{self._aside}log".encode(),
            f"{self._aside}generation".encode(),
        )

    @property
    def log(self) -> ChangeLog:
        """What the hosts changed, in the order of the server."""
        return self._log

    @property
    def leases(self) -> Leases:
        """Leases that hosts agree on, by the server's clock."""
        return self._leases

    def _name(self, key: str) -> bytes:
        return self._prefix + key.encode("utf-8", "surrogatepass")

    def _name_aside(self, kind: str, key: str) -> bytes:
        return f"{self._aside}{kind}:".encode() + key.encode("utf-8", "surrogatepass")

    def _ask(self, operation: str, key: str | None, command: Command) -> Any:
        (reply,) = self._exchange(operation, key, [command])
        return self._checked(reply, operation, key)

    def _ask_all(
        self, operation: str, key: str, commands: Sequence[Command], extra_s: float
    ) -> list[Any]:
        replies = self._exchange(operation, key, commands, extra_s)
        return [self._checked(reply, operation, key) for reply in replies]

    def _exchange(
        self, operation: str, key: str | None, commands: Sequence[Command], extra_s: float = 0.0
    ) -> list[Any]:
        try:
            return self._wire.exchange(commands, extra_s)
        except TierUnavailableError as error:
            error.tier, error.operation, error.key = self.name, operation, key
            raise

    def _checked(self, reply: Any, operation: str, key: str | None) -> Any:
        """`reply`, or our word for what the server says is wrong."""
        if not isinstance(reply, ResponseError):
            return reply
        details = {"tier": self.name, "operation": operation, "key": key}
        if "WRONGTYPE" in str(reply):
            msg = "the server holds something else than a string under this key"
            raise CorruptRecordError(msg, **details) from reply
        if isinstance(reply, OutOfMemoryError):
            msg = "the server is at its maxmemory and evicts nothing: give it an eviction policy such as allkeys-lru"
            raise RecordRefusedError(msg, **details) from reply
        raise TierUnavailableError(f"{self._wire.address}: {reply}", **details) from reply

    def _reads(self, key: str) -> tuple[Command, Command]:
        # GETRANGE instead of GET: a foreign or hostile value is not read without end.
        name = self._name(key)
        return ("GETRANGE", name, 0, self._max_value_bytes), ("PTTL", name)

    def _answer(self, key: str, record: Any, lifetime_ms: Any) -> Found | Absent:
        record = self._checked(record, "get", key)
        lifetime_ms = self._checked(lifetime_ms, "get", key)
        if not isinstance(record, bytes) or not isinstance(lifetime_ms, int):
            msg = f"{self._wire.address} answers a read with something else than a string and a lifetime"
            raise TierUnavailableError(msg, tier=self.name, operation="get", key=key)
        if len(record) > self._max_value_bytes:
            msg = f"the stored value is longer than max_value_bytes={self._max_value_bytes}"
            raise CorruptRecordError(msg, tier=self.name, operation="get", key=key)
        if not record or lifetime_ms == -2:  # it expired between the two reads
            return Absent(self._log.generation)
        if is_tombstone(record):
            return Absent(record[:TOKEN_BYTES], deleted_at(record))
        remaining = math.inf if lifetime_ms < 0 else lifetime_ms / 1000
        return Found(record, remaining, record[:TOKEN_BYTES])

    def get(self, key: str) -> Found | Absent:
        """The record of `key`, in one round trip."""
        record, lifetime_ms = self._exchange("get", key, self._reads(key))
        return self._answer(key, record, lifetime_ms)

    def get_many(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """The records of `keys`, in one round trip."""
        if not keys:
            return {}
        commands = [command for key in keys for command in self._reads(key)]
        replies = iter(self._exchange("get_many", None, commands))
        answers: dict[str, Found | Absent] = {}
        for key, record, lifetime_ms in zip(keys, replies, replies, strict=False):
            try:
                answers[key] = self._answer(key, record, lifetime_ms)
            except CorruptRecordError:
                self.delete(key)
                answers[key] = Absent(self._log.generation)
        return answers

    def get_heads(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """The beginnings of the records of `keys`, in one round trip of half as many commands."""
        commands = [("GETRANGE", self._name(key), 0, HEAD_BYTES - 1) for key in keys]
        replies = self._exchange("get_many", None, commands)
        answers: dict[str, Found | Absent] = {}
        for key, reply in zip(keys, replies, strict=True):
            try:
                answers[key] = self._answer(key, reply, -1)
            except CorruptRecordError:
                self.delete(key)
                answers[key] = Absent(self._log.generation)
        return answers

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
        command = self._write(key, PutItem(item, lifetime_s, expected, fill))
        return self._landed(self._ask("put", key, command))

    def put_many(self, items: Mapping[str, PutItem]) -> set[str]:
        """Store each of `items`, all in one round trip."""
        commands = {}
        for key, item in items.items():
            try:
                commands[key] = self._write(key, item)
            except RecordRefusedError:
                continue
        replies = self._exchange("put_many", None, list(commands.values())) if commands else []
        stored = set()
        for key, reply in zip(commands, replies, strict=True):
            try:
                if self._landed(self._checked(reply, "put_many", key)):
                    stored.add(key)
            except (RecordRefusedError, CorruptRecordError) as error:
                _log.debug("not stored: %s", error)
        return stored

    def _write(self, key: str, item: PutItem) -> Command:
        record, lifetime_s, expected, fill = item
        if isinstance(record, Entry) or len(record) > self._max_value_bytes:
            size = "an entry" if isinstance(record, Entry) else f"{len(record)} bytes"
            msg = (
                f"the Redis tier takes records of at most {self._max_value_bytes} bytes, not {size}"
            )
            raise RecordRefusedError(msg, tier=self.name, operation="put", key=key)
        log = self._log
        lifetime = "" if lifetime_s == math.inf else max(1, int(lifetime_s * 1000))
        token = _ANY if expected is ANY else expected
        change = ("",) if fill else (self._origin(), *log.arguments(key))
        names = (self._name(key), log.generation_key, log.stream)
        return ("EVAL", _PUT, 3, *names, token, record, lifetime, *change)

    def _landed(self, reply: Any) -> bool:
        if isinstance(reply, bytes):
            # Somebody cleared, or the server lost what it had: the next fill is to know.
            self._log.generation = reply
            if not reply:
                self._log.learn_generation()
            return False
        return bool(reply)

    def delete(self, key: str) -> bool:
        """Put a tombstone in the place of `key`."""
        return bool(self._ask("delete", key, self._deletion(key)))

    def delete_many(self, keys: Sequence[str]) -> int:
        """Put tombstones in the places of `keys`, in one round trip."""
        if not keys:
            return 0
        replies = self._exchange("delete_many", None, [self._deletion(key) for key in keys])
        return sum([bool(self._checked(reply, "delete_many", None)) for reply in replies])

    def _deletion(self, key: str) -> Command:
        lifetime_ms = int(TOMBSTONE_LIFETIME_S * 1000)
        names = (self._name(key), self._log.stream)
        tombstone = make_tombstone(self._wall())
        change = (self._origin(), *self._log.arguments(key))
        return ("EVAL", _DELETE, 2, *names, tombstone, lifetime_ms, TOMBSTONE_MAGIC, *change)

    def clear(self, prefix: str = "") -> int:
        """Remove every key that begins with `prefix`, some 500 keys a round trip."""
        count = 0
        origin = self._origin()
        self._log.begin_clear(origin, prefix)
        for names in self._names(prefix):
            heads = self._heads("clear", names)
            # SCAN may give a key twice: the second time there is nothing.
            count += sum([bool(head) and head != TOMBSTONE_MAGIC for head in heads])
            self._ask("clear", None, ("UNLINK", *names))
        self._log.end_clear(origin, prefix)
        return count

    def scan(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with `prefix`, some 500 keys a round trip, each given once.

        Costs a walk over all keys of the server's database, and memory for the keys found.
        """
        seen: set[bytes] = set()
        for found in self._names(prefix):
            names = [name for name in dict.fromkeys(found) if name not in seen]
            seen.update(names)
            for name, head in zip(names, self._heads("scan", names), strict=True):
                if head != TOMBSTONE_MAGIC:
                    yield name[len(self._prefix) :].decode("utf-8", "surrogatepass")

    def _names(self, prefix: str) -> Iterator[list[bytes]]:
        pattern = _escape_glob(self._name(prefix)) + b"*"
        cursor = b"0"
        while True:
            cursor, names = self._ask(
                "scan", None, ("SCAN", cursor, "MATCH", pattern, "COUNT", _BATCH)
            )
            if names:
                yield names
            if cursor == b"0":
                return

    def _heads(self, operation: str, names: Sequence[bytes]) -> list[Any]:
        size = len(TOMBSTONE_MAGIC)
        commands = [("GETRANGE", name, 0, size - 1) for name in names]
        return self._exchange(operation, None, commands) if commands else []

    def info(self) -> TierInfo:
        """Where it is. A server does not know how many keys a prefix has without a walk."""
        return TierInfo(detail=self._wire.address)

    def close(self) -> None:
        """Close the idle connections."""
        self._wire.close()


def _escape_glob(text: bytes) -> bytes:
    """`text` as a pattern of Redis' own glob matcher that matches only itself."""
    for special in (b"\\", b"*", b"?", b"[", b"]", b"^"):
        text = text.replace(special, b"\\" + special)
    return text
