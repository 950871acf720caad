"""The steps that read and write records on a Redis server."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tiered_cache.contracts import ANY, Absent, Found, Put
from tiered_cache.contracts.logged_keys import pack_keys
from tiered_cache.entry import (
    TOKEN_BYTES,
    TOMBSTONE_LIFETIME_S,
    Entry,
    deleted_at,
    is_tombstone,
    make_tombstone,
)
from tiered_cache.errors import CorruptRecordError, RecordRefusedError, TierUnavailableError
from tiered_cache.tiers.redis._record_scripts import DELETE, HEADS, NO_CONDITION, PUT
from tiered_cache.tiers.redis._resp import MAX_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tiered_cache.tiers.redis._change_log import RedisLog
    from tiered_cache.tiers.redis._client import RedisClient, Steps
    from tiered_cache.tiers.redis._resp import Command

__all__ = ["RecordCommands"]

_BATCH_BYTES = 8 * 2**20
_KEYS_PER_SCRIPT = 100
"""The server runs one script while the next is still on its way."""


class RecordCommands:
    """The steps of the methods of `RedisTier` with the same names. Thread-safe.

    Args:
        client: The client.
        log: The change log of the tier.
        tier: The tier's name.
        max_value_bytes: The longest record that is stored or read.
    """

    def __init__(self, client: RedisClient, log: RedisLog, tier: str, max_value_bytes: int) -> None:
        self._client = client
        self._log = log
        self._tier = tier
        self._max_value_bytes = max_value_bytes
        self._prefix = b""
        # The output of `pack_commands`, in a third of its time. GETRANGE in place of GET, because a
        # foreign or hostile value may have any length.
        last = b"%d" % max_value_bytes
        self._read = b"*4\r\n$8\r\nGETRANGE\r\n$%%d\r\n%%b\r\n$1\r\n0\r\n$%d\r\n%b\r\n" % (
            len(last),
            last,
        )
        self._origin: Callable[[], str] = str
        self._wall: Callable[[], float] = float

    def open(self, prefix: bytes, origin: Callable[[], str], wall: Callable[[], float]) -> None:
        """Set the prefix of record names, the source of this cache's identity, and the clock."""
        self._prefix = prefix
        self._origin = origin
        self._wall = wall

    def _name(self, key: str) -> bytes:
        return self._prefix + key.encode("utf-8", "surrogatepass")

    def _reads(self, key: str) -> tuple[Command, Command]:
        name = self._name(key)
        named = len(name), name
        return self._read % named, b"*2\r\n$4\r\nPTTL\r\n$%d\r\n%b\r\n" % named

    def _answer(self, key: str, record: Any, lifetime_ms: Any) -> Found[bytes] | Absent:
        if not isinstance(record, bytes) or not isinstance(lifetime_ms, int):
            self._client.check(record, "get", key)
            self._client.check(lifetime_ms, "get", key)
            msg = f"unexpected reply of {self._client.address} to a read: expected a string and a lifetime; check that the URL names a Redis server"
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

    def get(self, key: str) -> Steps[Found[bytes] | Absent]:
        """The record of `key`, in one round trip."""
        record, lifetime_ms = yield from self._client.send("get", key, self._reads(key))
        return self._answer(key, record, lifetime_ms)

    def get_many(self, keys: Sequence[str]) -> Steps[dict[str, Found[bytes] | Absent]]:
        """The records of `keys`, in one round trip."""
        if not keys:
            return {}
        commands = [command for key in keys for command in self._reads(key)]
        replies = iter((yield from self._client.send("get_many", None, commands)))
        answers: dict[str, Found[bytes] | Absent] = {}
        for key, record, lifetime_ms in zip(keys, replies, replies, strict=False):
            try:
                answers[key] = self._answer(key, record, lifetime_ms)
            except CorruptRecordError:
                yield from self.delete(key)
                answers[key] = Absent(self._log.generation)
        return answers

    def get_heads(self, keys: Sequence[str]) -> Steps[dict[str, Found[bytes] | Absent]]:
        """The first bytes of the records of `keys`, some 500 keys a round trip."""
        answers: dict[str, Found[bytes] | Absent] = dict.fromkeys(
            keys, Absent(self._log.generation)
        )
        for start in range(0, len(keys), MAX_KEYS):
            batch = keys[start : start + MAX_KEYS]
            command = HEADS.call([*map(self._name, batch)], ())
            found = yield from self._client.call("get_many", None, command)
            if not isinstance(found, list):
                msg = f"unexpected reply of {self._client.address} to a script: expected a list; check that the URL names a Redis server"
                raise TierUnavailableError(msg, tier=self._tier, operation="get_many")
            for place, head in zip(found[::2], found[1::2], strict=True):
                key = batch[int(place)]
                try:
                    answers[key] = self._answer(key, head, -1)
                except CorruptRecordError:
                    yield from self.delete(key)
        return answers

    def put(self, key: str, put: Put[bytes]) -> Steps[bool]:
        """Store a record, in one round trip."""
        self._storable(key, put.item)
        return bool((yield from self._put("put", {key: put})))

    def put_many(self, puts: Mapping[str, Put[bytes]]) -> Steps[set[str]]:
        """Store each of `puts`, some 8 MiB of them a round trip."""
        stored: set[str] = set()
        batch: dict[str, Put[bytes]] = {}
        size = 0
        for key, put in puts.items():
            try:
                size += len(self._storable(key, put.item))
            except RecordRefusedError:
                continue
            batch[key] = put
            if size > _BATCH_BYTES or len(batch) == MAX_KEYS:
                stored |= yield from self._put("put_many", batch)
                batch, size = {}, 0
        return stored | (yield from self._put("put_many", batch))

    def _storable(self, key: str, record: Entry | bytes) -> bytes:
        if isinstance(record, Entry) or len(record) > self._max_value_bytes:
            size = "an entry" if isinstance(record, Entry) else f"{len(record)} bytes"
            msg = f"got {size}, and the Redis tier takes records of at most max_value_bytes={self._max_value_bytes}"
            raise RecordRefusedError(msg, tier=self._tier, operation="put", key=key)
        return record

    def _put(self, operation: str, puts: Mapping[str, Put[bytes]]) -> Steps[set[str]]:
        """Store records that passed `_storable`, in one round trip."""
        if not puts:
            return set()
        keys = [*puts]
        parts = [
            keys[start : start + _KEYS_PER_SCRIPT]
            for start in range(0, len(keys), _KEYS_PER_SCRIPT)
        ]
        commands = [self._put_command(part, puts) for part in parts]
        key = keys[0] if len(keys) == 1 else None
        stored = set(keys)
        learn = False
        replies = yield from self._client.send(operation, key, commands)
        for part, reply in zip(parts, replies, strict=True):
            refusals = self._client.check(reply, operation, key)
            stored.difference_update([part[place] for place in refusals[::2]])
            # The namespace was cleared, or the server lost its data: the next fill needs the new one.
            learn = learn or any(
                isinstance(each, bytes) and each != self._log.generation for each in refusals[1::2]
            )
        if learn:
            yield from self._log.learn_generation()
        return stored

    def _put_command(self, keys: Sequence[str], puts: Mapping[str, Put[bytes]]) -> Command:
        log = self._log
        changed = [key for key in keys if not puts[key].fill]
        changes = pack_keys(changed) if changed else []
        arguments: list[object] = [self._origin(), len(changes), *changes]
        for key in keys:
            put = puts[key]
            lifetime_s, expected = put.lifetime_s, put.expected
            lifetime = "" if lifetime_s == math.inf else max(1, int(lifetime_s * 1000))
            arguments += (NO_CONDITION if expected is ANY else expected, put.item, lifetime)
        return PUT.call([log.generation_key, log.stream, *map(self._name, keys)], arguments)

    def delete(self, key: str) -> Steps[bool]:
        """Replace `key` by a tombstone."""
        return bool((yield from self._delete("delete", [key])))

    def delete_many(self, keys: Sequence[str]) -> Steps[int]:
        """Replace `keys` by tombstones, some 500 keys a round trip."""
        there = 0
        for start in range(0, len(keys), MAX_KEYS):
            there += yield from self._delete("delete_many", keys[start : start + MAX_KEYS])
        return there

    def _delete(self, operation: str, keys: Sequence[str]) -> Steps[int]:
        changes = pack_keys(keys)
        tombstone = make_tombstone(self._wall())
        lifetime_ms = int(TOMBSTONE_LIFETIME_S * 1000)
        arguments = (self._origin(), len(changes), *changes, tombstone, lifetime_ms)
        names = [self._log.stream, *map(self._name, keys)]
        key = keys[0] if len(keys) == 1 else None
        there: int = yield from self._client.call(operation, key, DELETE.call(names, arguments))
        return there
