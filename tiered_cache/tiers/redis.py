"""The Redis tier: records in a Redis or Valkey server, shared by hosts."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from redis.exceptions import MovedError, NoScriptError, OutOfMemoryError, ResponseError

from tiered_cache.changes import pack
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
from tiered_cache.tiers._redis_board import RedisBoard
from tiered_cache.tiers._redis_cluster import make_wire
from tiered_cache.tiers._redis_leases import RedisLeases
from tiered_cache.tiers._redis_log import LOG_FUNCTION, RedisLog
from tiered_cache.tiers._redis_script import Script, with_its_text
from tiered_cache.units import Duration, Size, parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tiered_cache.boards import Board
    from tiered_cache.changes import ChangeLog
    from tiered_cache.leases import Leases
    from tiered_cache.tiers._redis_wire import Command

__all__ = ["RedisTier", "prefix_of"]

_log = logging.getLogger("tiered_cache.tiers.redis")

_BATCH = 500
_BATCH_BYTES = 8 * 2**20
_PART = 100
"""So many keys a script: the server runs one while the next is still on its way."""
_ANY = "*"
# KEYS: the generation, the log, the keys. ARGV: who; how many strings to log, and these; for each key
# what it must hold, its record and its lifetime. The answer: of each that was refused the place in the list,
# and 0 or the generation. Logged first: should there be no memory for it, nothing has changed yet.
_PUT = Script(f"""{LOG_FUNCTION}
local at = 3 + ARGV[2]
if at > 3 then log(KEYS[2], ARGV[1], 3, at - 1) end
local refused, generation = {{}}, nil
for i = 3, #KEYS do
  local expected, reply = ARGV[at], 1
  if expected ~= '{_ANY}' then
    local there = redis.pcall('GETRANGE', KEYS[i], 0, {TOKEN_BYTES - 1})
    if there ~= '' then
      if there ~= expected then reply = 0 end
    else
      generation = generation or redis.call('GET', KEYS[1]) or ''
      if generation ~= expected then reply = generation end
    end
  end
  if reply == 1 then
    if ARGV[at + 2] == '' then redis.call('SET', KEYS[i], ARGV[at + 1])
    else redis.call('SET', KEYS[i], ARGV[at + 1], 'PX', ARGV[at + 2]) end
  end
  if reply ~= 1 then
    refused[#refused + 1] = i - 3
    refused[#refused + 1] = reply
  end
  at = at + 3
end
return refused
""")
# KEYS: the keys. The answer: of each that holds something the place in the list, and how it begins. A
# burst of writes is one of new keys, most of the time: what there is not is not answered, nor parsed.
_HEADS = Script(f"""
local found = {{}}
for i = 1, #KEYS do
  local head = redis.pcall('GETRANGE', KEYS[i], 0, {HEAD_BYTES - 1})
  if head ~= '' then
    found[#found + 1] = i - 1
    found[#found + 1] = head
  end
end
return found
""")
# KEYS: the log, the keys. ARGV: who; how many strings to log, and these; a tombstone and its lifetime.
_DELETE = Script(f"""{LOG_FUNCTION}
local at = 3 + ARGV[2]
log(KEYS[1], ARGV[1], 3, at - 1)
local there = 0
for i = 2, #KEYS do
  local head = redis.pcall('GETRANGE', KEYS[i], 0, {len(TOMBSTONE_MAGIC) - 1})
  redis.call('SET', KEYS[i], ARGV[at], 'PX', ARGV[at + 1])
  if head ~= '' and head ~= string.sub(ARGV[at], 1, {len(TOMBSTONE_MAGIC)}) then there = there + 1 end
end
return there
""")


def prefix_of(namespace: str) -> bytes:
    """What the names of a namespace's keys begin with: the hash tag keeps them together in a cluster."""
    return f"tiered-cache:{{{namespace}}}:".encode()  # no namespace has a brace


class RedisTier:
    """Records in a Redis or Valkey server, or cluster.

    Every key is `tiered-cache:{<namespace>}:<key>`, whatever else the server is used for; nothing
    is ever flushed, and keys are listed with `SCAN`. The braces are a hash tag: in a cluster, a
    namespace is on one node, so that a change and its log are one step there too. A read costs one round trip, so do the reads
    or writes of many keys. The remaining lifetime is the server's own, so that the clocks of the
    hosts don't matter.

    Args:
        url: The server: `redis://[user:password@]host:port/database`, `rediss://` for TLS,
            `unix:///path/to/socket`. A cluster: `redis+cluster://[user:password@]host:port,…`,
            or `rediss+cluster://`, with those nodes that are asked first where a key is.
        timeout: How long a call may take, connecting and all nodes that are asked included.
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
        self._prefix = b""
        self._aside = ""
        self._leases = RedisLeases(self._ask_all, self._name_aside, max_connections // 2)
        self._board = RedisBoard(self._ask_all, name)
        self._log = RedisLog(self._ask_all, max_connections // 2)
        self._origin: Callable[[], str] = str
        self._wall = SYSTEM_CLOCK.wall

    def open(self, context: TierContext) -> None:
        """Reach the server once, so that a wrong address, password or database is told at once."""
        self._prefix = prefix_of(context.namespace)
        self._wire.serve(self._prefix)
        self._wall = context.clock.wall
        # No namespace has a slash: what is kept beside the records is no key of anybody's.
        self._aside = f"tiered-cache:{{{context.namespace}}}/"
        self._origin = context.origin
        self._board.open(f"{self._aside}statistics".encode())
        self._log.open(
            f"redis:{self._wire.address}/{self._aside}",
            f"{self._aside}log".encode(),
            f"{self._aside}generation".encode(),
        )

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
            replies = self._wire.exchange(commands, extra_s)
            if commands[-1][0] != "EVALSHA":
                return replies
            unknown = [at for at, each in enumerate(replies) if isinstance(each, NoScriptError)]
            if unknown:
                again = self._wire.exchange([with_its_text(commands[at]) for at in unknown])
                for at, reply in zip(unknown, again, strict=True):
                    replies[at] = reply
            return replies
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
        if isinstance(reply, MovedError):
            msg = f"{self._wire.address} is a node of a cluster: begin the URL with redis+cluster:// and name some of its nodes"
            raise TierUnavailableError(msg, **details) from reply
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
        """The beginnings of the records of `keys`, some 500 keys a round trip."""
        answers: dict[str, Found | Absent] = dict.fromkeys(keys, Absent(self._log.generation))
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            found = self._ask("get_many", None, _HEADS.call([*map(self._name, batch)], ()))
            if not isinstance(found, list):
                msg = f"{self._wire.address} answers a script with something else than a list"
                raise TierUnavailableError(msg, tier=self.name, operation="get_many")
            for place, head in zip(found[::2], found[1::2], strict=True):
                key = batch[int(place)]
                try:
                    answers[key] = self._answer(key, head, -1)
                except CorruptRecordError:
                    self.delete(key)
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
        record = self._storable(key, item)
        return bool(self._put("put", {key: PutItem(record, lifetime_s, expected, fill)}))

    def put_many(self, items: Mapping[str, PutItem]) -> set[str]:
        """Store each of `items`, some 8 MiB of them in a round trip."""
        stored: set[str] = set()
        batch: dict[str, PutItem] = {}
        size = 0
        for key, item in items.items():
            try:
                size += len(self._storable(key, item.item))
            except RecordRefusedError:
                continue
            batch[key] = item
            if size > _BATCH_BYTES or len(batch) == _BATCH:
                stored |= self._put("put_many", batch)
                batch, size = {}, 0
        return stored | self._put("put_many", batch)

    def _storable(self, key: str, record: Entry | bytes) -> bytes:
        if isinstance(record, Entry) or len(record) > self._max_value_bytes:
            size = "an entry" if isinstance(record, Entry) else f"{len(record)} bytes"
            msg = (
                f"the Redis tier takes records of at most {self._max_value_bytes} bytes, not {size}"
            )
            raise RecordRefusedError(msg, tier=self.name, operation="put", key=key)
        return record

    def _put(self, operation: str, items: Mapping[str, PutItem]) -> set[str]:
        """Store what `_storable` let through, in one round trip."""
        if not items:
            return set()
        keys = [*items]
        parts = [keys[start : start + _PART] for start in range(0, len(keys), _PART)]
        commands = [self._put_command(part, items) for part in parts]
        key = keys[0] if len(keys) == 1 else None
        stored = set(keys)
        learn = False
        for part, reply in zip(parts, self._exchange(operation, key, commands), strict=True):
            refusals = self._checked(reply, operation, key)
            stored.difference_update([part[place] for place in refusals[::2]])
            # Somebody cleared, or the server lost what it had: the next fill is to know.
            learn = learn or any(
                isinstance(each, bytes) and each != self._log.generation for each in refusals[1::2]
            )
        if learn:
            self._log.learn_generation()
        return stored

    def _put_command(self, keys: Sequence[str], items: Mapping[str, PutItem]) -> Command:
        log = self._log
        changes = pack([key for key in keys if not items[key].fill])
        arguments: list[object] = [self._origin(), len(changes), *changes]
        for key in keys:
            record, lifetime_s, expected, _ = items[key]
            lifetime = "" if lifetime_s == math.inf else max(1, int(lifetime_s * 1000))
            arguments += (_ANY if expected is ANY else expected, record, lifetime)
        return _PUT.call([log.generation_key, log.stream, *map(self._name, keys)], arguments)

    def delete(self, key: str) -> bool:
        """Put a tombstone in the place of `key`."""
        return bool(self._delete("delete", [key]))

    def delete_many(self, keys: Sequence[str]) -> int:
        """Put tombstones in the places of `keys`, some 500 keys a round trip."""
        batches = [keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH)]
        return sum([self._delete("delete_many", batch) for batch in batches])

    def _delete(self, operation: str, keys: Sequence[str]) -> int:
        changes = pack(keys)
        tombstone = make_tombstone(self._wall())
        lifetime_ms = int(TOMBSTONE_LIFETIME_S * 1000)
        arguments = (self._origin(), len(changes), *changes, tombstone, lifetime_ms)
        names = [self._log.stream, *map(self._name, keys)]
        key = keys[0] if len(keys) == 1 else None
        there: int = self._ask(operation, key, _DELETE.call(names, arguments))
        return there

    def clear(self, prefix: str = "") -> int:
        """Remove every key that begins with `prefix`, some 500 keys a round trip."""
        return self.clear_in_steps(prefix, lambda _: None)

    def clear_in_steps(self, prefix: str, stepped: Callable[[int], object]) -> int:
        """Do the same, and call `stepped` after each round trip."""
        count = 0
        origin = self._origin()
        server = self._whole_at()
        self._log.begin_clear(origin, prefix)
        for names in self._names(prefix):
            heads = self._heads("clear", names)
            # SCAN may give a key twice: the second time there is nothing.
            count += sum([bool(head) and head != TOMBSTONE_MAGIC for head in heads])
            self._ask("clear", None, ("UNLINK", *names))
            stepped(count)
        if self._whole_at() != server:
            msg = f"the keys were moved from {server} to another node meanwhile: not all of them were seen"
            raise TierUnavailableError(msg, tier=self.name, operation="clear")
        self._log.end_clear(origin, prefix)
        return count

    def _whole_at(self) -> str:
        """The server that has all keys: a walk over one that has some of them would miss others."""
        try:
            return self._wire.whole_at()
        except TierUnavailableError as error:
            error.tier, error.operation = self.name, "clear"
            raise

    def fence(self, prefix: str) -> None:
        """Refuse fills that began before now, and log that keys which begin with `prefix` changed."""
        self._log.begin_clear(self._origin(), prefix)

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
