"""What a Redis tier says to its server for each of its methods: see `_redis_talk`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tiered_cache.contracts import ANY, Absent, Found, PutItem
from tiered_cache.contracts.change_log import pack
from tiered_cache.entry import (
    HEAD_BYTES,
    TOKEN_BYTES,
    TOMBSTONE_LIFETIME_S,
    TOMBSTONE_MAGIC,
    Entry,
    deleted_at,
    is_tombstone,
    make_tombstone,
)
from tiered_cache.errors import CorruptRecordError, RecordRefusedError, TierUnavailableError
from tiered_cache.tiers.redis._change_log import LOG_FUNCTION
from tiered_cache.tiers.redis._script import Script

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tiered_cache.tiers.redis._change_log import RedisLog
    from tiered_cache.tiers.redis._connection import Command, Speaker, Talk

__all__ = ["RecordTalk"]

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


class RecordTalk:
    """Talks about records: each method is that of `Tier` with its name. Thread-safe.

    Args:
        speaker: Asks.
        log: The log of the tier's changes.
        tier: The tier's name.
        max_value_bytes: The longest record that is stored or read.
    """

    def __init__(self, speaker: Speaker, log: RedisLog, tier: str, max_value_bytes: int) -> None:
        self._speaker = speaker
        self._log = log
        self._tier = tier
        self._max_value_bytes = max_value_bytes
        self._prefix = b""
        # As `pack` would write it, in a third of the time. GETRANGE instead of GET: a foreign or hostile
        # value is not read without end.
        last = b"%d" % max_value_bytes
        self._read = b"*4\r\n$8\r\nGETRANGE\r\n$%%d\r\n%%b\r\n$1\r\n0\r\n$%d\r\n%b\r\n" % (
            len(last),
            last,
        )
        self._origin: Callable[[], str] = str
        self._wall: Callable[[], float] = float

    def open(self, prefix: bytes, origin: Callable[[], str], wall: Callable[[], float]) -> None:
        """Say with what the names of keys begin, who asks, and what the time is."""
        self._prefix = prefix
        self._origin = origin
        self._wall = wall

    def _name(self, key: str) -> bytes:
        return self._prefix + key.encode("utf-8", "surrogatepass")

    def _reads(self, key: str) -> tuple[Command, Command]:
        name = self._name(key)
        named = len(name), name
        return self._read % named, b"*2\r\n$4\r\nPTTL\r\n$%d\r\n%b\r\n" % named

    def _answer(self, key: str, record: Any, lifetime_ms: Any) -> Found | Absent:
        if not isinstance(record, bytes) or not isinstance(lifetime_ms, int):
            self._speaker.checked(record, "get", key)
            self._speaker.checked(lifetime_ms, "get", key)
            msg = f"{self._speaker.address} answers a read with something else than a string and a lifetime"
            raise TierUnavailableError(msg, tier=self._tier, operation="get", key=key)
        if len(record) > self._max_value_bytes:
            msg = f"the stored value is longer than max_value_bytes={self._max_value_bytes}"
            raise CorruptRecordError(msg, tier=self._tier, operation="get", key=key)
        if not record or lifetime_ms == -2:  # it expired between the two reads
            return Absent(self._log.generation)
        if is_tombstone(record):
            return Absent(record[:TOKEN_BYTES], deleted_at(record))
        remaining = math.inf if lifetime_ms < 0 else lifetime_ms / 1000
        return Found(record, remaining, record[:TOKEN_BYTES])

    def get(self, key: str) -> Talk[Found | Absent]:
        """The record of `key`, in one round trip."""
        record, lifetime_ms = yield from self._speaker.exchange("get", key, self._reads(key))
        return self._answer(key, record, lifetime_ms)

    def get_many(self, keys: Sequence[str]) -> Talk[dict[str, Found | Absent]]:
        """The records of `keys`, in one round trip."""
        if not keys:
            return {}
        commands = [command for key in keys for command in self._reads(key)]
        replies = iter((yield from self._speaker.exchange("get_many", None, commands)))
        answers: dict[str, Found | Absent] = {}
        for key, record, lifetime_ms in zip(keys, replies, replies, strict=False):
            try:
                answers[key] = self._answer(key, record, lifetime_ms)
            except CorruptRecordError:
                yield from self.delete(key)
                answers[key] = Absent(self._log.generation)
        return answers

    def get_heads(self, keys: Sequence[str]) -> Talk[dict[str, Found | Absent]]:
        """The beginnings of the records of `keys`, some 500 keys a round trip."""
        answers: dict[str, Found | Absent] = dict.fromkeys(keys, Absent(self._log.generation))
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            ask = _HEADS.call([*map(self._name, batch)], ())
            found = yield from self._speaker.ask("get_many", None, ask)
            if not isinstance(found, list):
                msg = f"{self._speaker.address} answers a script with something else than a list"
                raise TierUnavailableError(msg, tier=self._tier, operation="get_many")
            for place, head in zip(found[::2], found[1::2], strict=True):
                key = batch[int(place)]
                try:
                    answers[key] = self._answer(key, head, -1)
                except CorruptRecordError:
                    yield from self.delete(key)
        return answers

    def put(self, key: str, item: PutItem) -> Talk[bool]:
        """Store a record, in one round trip."""
        self._storable(key, item.item)
        return bool((yield from self._put("put", {key: item})))

    def put_many(self, items: Mapping[str, PutItem]) -> Talk[set[str]]:
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
                stored |= yield from self._put("put_many", batch)
                batch, size = {}, 0
        return stored | (yield from self._put("put_many", batch))

    def _storable(self, key: str, record: Entry | bytes) -> bytes:
        if isinstance(record, Entry) or len(record) > self._max_value_bytes:
            size = "an entry" if isinstance(record, Entry) else f"{len(record)} bytes"
            msg = (
                f"the Redis tier takes records of at most {self._max_value_bytes} bytes, not {size}"
            )
            raise RecordRefusedError(msg, tier=self._tier, operation="put", key=key)
        return record

    def _put(self, operation: str, items: Mapping[str, PutItem]) -> Talk[set[str]]:
        """Store what `_storable` let through, in one round trip."""
        if not items:
            return set()
        keys = [*items]
        parts = [keys[start : start + _PART] for start in range(0, len(keys), _PART)]
        commands = [self._put_command(part, items) for part in parts]
        key = keys[0] if len(keys) == 1 else None
        stored = set(keys)
        learn = False
        replies = yield from self._speaker.exchange(operation, key, commands)
        for part, reply in zip(parts, replies, strict=True):
            refusals = self._speaker.checked(reply, operation, key)
            stored.difference_update([part[place] for place in refusals[::2]])
            # Somebody cleared, or the server lost what it had: the next fill is to know.
            learn = learn or any(
                isinstance(each, bytes) and each != self._log.generation for each in refusals[1::2]
            )
        if learn:
            yield from self._log.learn_generation()
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

    def delete(self, key: str) -> Talk[bool]:
        """Put a tombstone in the place of `key`."""
        return bool((yield from self._delete("delete", [key])))

    def delete_many(self, keys: Sequence[str]) -> Talk[int]:
        """Put tombstones in the places of `keys`, some 500 keys a round trip."""
        there = 0
        for start in range(0, len(keys), _BATCH):
            there += yield from self._delete("delete_many", keys[start : start + _BATCH])
        return there

    def _delete(self, operation: str, keys: Sequence[str]) -> Talk[int]:
        changes = pack(keys)
        tombstone = make_tombstone(self._wall())
        lifetime_ms = int(TOMBSTONE_LIFETIME_S * 1000)
        arguments = (self._origin(), len(changes), *changes, tombstone, lifetime_ms)
        names = [self._log.stream, *map(self._name, keys)]
        key = keys[0] if len(keys) == 1 else None
        there: int = yield from self._speaker.ask(operation, key, _DELETE.call(names, arguments))
        return there

    def clear(
        self, prefix: str, stepped: Callable[[int], object], whole_at: Callable[[], str]
    ) -> Talk[int]:
        """Remove every key that begins with `prefix`, some 500 keys a round trip.

        Args:
            prefix: What they begin with.
            stepped: Called after each round trip with how many were removed so far.
            whole_at: Says which server has all keys: a walk over one that has some would miss others.
        """
        count = 0
        origin = self._origin()
        server = whole_at()
        yield from self._log.begin_clear(origin, prefix)
        cursor: bytes | None = b"0"
        while cursor is not None:
            cursor, names = yield from self._page("clear", cursor, prefix)
            if names:
                heads = yield from self._heads("clear", names)
                # SCAN may give a key twice: the second time there is nothing.
                count += sum([bool(head) and head != TOMBSTONE_MAGIC for head in heads])
                yield from self._speaker.ask("clear", None, ("UNLINK", *names))
                stepped(count)
        if whole_at() != server:
            msg = f"the keys were moved from {server} to another node meanwhile: not all of them were seen"
            raise TierUnavailableError(msg, tier=self._tier, operation="clear")
        yield from self._log.end_clear(origin, prefix)
        return count

    def fence(self, prefix: str) -> Talk[None]:
        """Refuse fills that began before now, and log that keys which begin with `prefix` changed."""
        yield from self._log.begin_clear(self._origin(), prefix)

    def scan(
        self, cursor: bytes, prefix: str, seen: set[bytes]
    ) -> Talk[tuple[bytes | None, list[str]]]:
        """Where to go on, if anywhere, and some keys that begin with `prefix` and were not `seen`."""
        following, found = yield from self._page("scan", cursor, prefix)
        names = [name for name in dict.fromkeys(found) if name not in seen]
        seen.update(names)
        heads = yield from self._heads("scan", names)
        keys = [
            name[len(self._prefix) :].decode("utf-8", "surrogatepass")
            for name, head in zip(names, heads, strict=True)
            if head != TOMBSTONE_MAGIC
        ]
        return following, keys

    def _page(
        self, operation: str, cursor: bytes, prefix: str
    ) -> Talk[tuple[bytes | None, list[bytes]]]:
        pattern = _escape_glob(self._name(prefix)) + b"*"
        command = ("SCAN", cursor, "MATCH", pattern, "COUNT", _BATCH)
        following, names = yield from self._speaker.ask(operation, None, command)
        return None if following == b"0" else following, names

    def _heads(self, operation: str, names: Sequence[bytes]) -> Talk[list[Any]]:
        size = len(TOMBSTONE_MAGIC)
        commands = [("GETRANGE", name, 0, size - 1) for name in names]
        if not commands:
            return []
        return (yield from self._speaker.exchange(operation, None, commands))


def _escape_glob(text: bytes) -> bytes:
    """`text` as a pattern of Redis' own glob matcher that matches only itself."""
    for special in (b"\\", b"*", b"?", b"[", b"]", b"^"):
        text = text.replace(special, b"\\" + special)
    return text
