"""The change log of a Redis tier: a stream beside its records."""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

from tiered_cache._process.fork import call_in_child
from tiered_cache.contracts.change_log import Change, ChangePage
from tiered_cache.contracts.logged_keys import pack_keys, unpack_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache.tiers.redis._client import RedisClient, Steps
    from tiered_cache.tiers.redis._resp import Command

__all__ = ["LOG_FUNCTION", "RedisLog"]

_PAGE = 200
_ENTRIES = 10_000
_KEPT_MS = 30 * 24 * 3_600_000
_POLL_S = 0.05
_SEQUENCE_BITS = 64
_NO_CHANGE = b""

LOG_FUNCTION = f"""
local function log(stream, origin, first, last)
  for i = first, last do
    redis.call('XADD', stream, 'MAXLEN', '~', {_ENTRIES}, '*', 'o', origin, 'c', ARGV[i])
  end
  redis.call('PEXPIRE', stream, {_KEPT_MS})
end
"""
"""A Lua function for the scripts that change and log in one step; the entries are arguments."""


class RedisLog:
    """Implements `ChangeLog` on a stream of some 10,000 entries, which the server numbers.

    It also keeps the generation of the namespace: a key that a clear changes, and that a fill must
    find unchanged. If the server lost the two, both are created again. A reader then misses the
    last entry that it read, and fills are refused until the new generation is known.

    Source: https://redis.io/docs/latest/develop/data-types/streams/

    Args:
        client: The client.
        run: Runs steps.
        max_waiting: Most connections that waiting may block. Further readers poll.
    """

    def __init__(
        self,
        client: RedisClient,
        run: Callable[[Steps[Any]], Any],
        max_waiting: int,
    ) -> None:
        self._call_all = client.call_all
        self._run = run
        self._max_waiting = max_waiting
        self.source = ""
        self.generation = b""
        self.stream = self.generation_key = b""
        self._start()
        call_in_child(self._start)

    def _start(self) -> None:
        self._may_block = threading.Semaphore(self._max_waiting)

    def open(self, source: str, stream: bytes, generation_key: bytes) -> None:
        """Set the names of its keys, and read the generation."""
        self.source = source
        self.stream = stream
        self.generation_key = generation_key
        self._run(self.learn_generation())

    def learn_generation(self) -> Steps[None]:
        """Read the generation; create one if there is none."""
        key = self.generation_key
        create = ("SET", key, secrets.token_hex(8), "NX")
        _, generation = yield from self._call_all("generation", None, [create, ("GET", key)])
        self.generation = generation if isinstance(generation, bytes) else b""

    def _send(self, operation: str, commands: Sequence[Command], extra_s: float = 0.0) -> list[Any]:
        replies: list[Any] = self._run(self._call_all(operation, None, commands, extra_s))
        return replies

    def begin_clear(self, origin: str, prefix: str) -> Steps[None]:
        """Refuse fills that began before now, and log that keys with `prefix` change."""
        generation = secrets.token_hex(8)
        renew = ("SET", self.generation_key, generation)
        yield from self._call_all("clear", None, [renew, *self._log_prefix(origin, prefix)])
        self.generation = generation.encode()

    def end_clear(self, origin: str, prefix: str) -> Steps[None]:
        """Log the change once more: other processes may have read keys during the clear."""
        yield from self._call_all("clear", None, self._log_prefix(origin, prefix))

    def _log_prefix(self, origin: str, prefix: str) -> list[Command]:
        return self._add(origin, *pack_keys([prefix], are_prefixes=True))

    def _add(self, origin: str, packed: bytes) -> list[Command]:
        fields = ("o", origin, "c", packed)
        return [
            ("XADD", self.stream, "MAXLEN", "~", _ENTRIES, "*", *fields),
            ("PEXPIRE", self.stream, _KEPT_MS),
        ]

    def read(self, position: int | None) -> ChangePage:
        """The changes after `position`, in one round trip."""
        if position is None:
            return self._end()
        at = _to_id(position)
        anchor = ("XRANGE", self.stream, at, at)
        later = ("XREAD", "COUNT", _PAGE, "STREAMS", self.stream, at)
        generation = ("GET", self.generation_key)
        there, streams, known = self._send("read_changes", [anchor, later, generation])
        if isinstance(known, bytes):
            # Another process may have cleared. Knowing it now spares the next fill a refusal.
            self.generation = known
        if not there:
            return self._end()
        entries = _entries_of(streams)
        changes = [
            change for entry_id, fields in entries for change in _to_changes(entry_id, fields)
        ]
        last = _to_position(entries[-1][0]) if entries else position
        return ChangePage(changes, last, more=len(entries) == _PAGE)

    def _end(self) -> ChangePage:
        newest = ("XREVRANGE", self.stream, "+", "-", "COUNT", 1)
        (entries,) = self._send("read_changes", [newest])
        if entries:
            return ChangePage((), _to_position(entries[0][0]), complete=False)
        added, _ = self._send("read_changes", self._add("", _NO_CHANGE))
        return ChangePage((), _to_position(added), complete=False)

    def wait(self, position: int, timeout_s: float) -> None:
        """Block until the stream has an entry after `position`."""
        may_block = self._may_block
        if not may_block.acquire(blocking=False):
            time.sleep(min(timeout_s, _POLL_S))
            return
        block_ms = max(1, int(timeout_s * 1000))
        command = ("XREAD", "BLOCK", block_ms, "COUNT", 1, "STREAMS", self.stream)
        try:
            self._send("await_change", [(*command, _to_id(position))], timeout_s)
        finally:
            may_block.release()


def _to_id(position: int) -> str:
    return f"{position >> _SEQUENCE_BITS}-{position & (1 << _SEQUENCE_BITS) - 1}"


def _to_position(entry_id: bytes) -> int:
    milliseconds, _, sequence = entry_id.partition(b"-")
    return int(milliseconds) << _SEQUENCE_BITS | int(sequence)


def _entries_of(streams: Any) -> list[Any]:
    """The entries in the reply to an XREAD of one stream, of either protocol version."""
    if not streams:
        return []
    return next(iter(streams.values())) if isinstance(streams, dict) else streams[0][1]


def _to_changes(entry_id: bytes, fields: Any) -> list[Change]:
    """The changes in an entry. A foreign entry counts as a change of all keys."""
    try:
        _, origin, _, packed = fields
        milliseconds = _to_position(entry_id) >> _SEQUENCE_BITS
        return unpack_changes(origin.decode(), packed, milliseconds / 1000)
    except (ValueError, TypeError, AttributeError):
        return [Change("", "", is_prefix=True)]
