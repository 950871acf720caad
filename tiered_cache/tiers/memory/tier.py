"""The memory tier: live entries in this process."""

from __future__ import annotations

import copy as copying
import math
from typing import TYPE_CHECKING, Literal

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.contracts import (
    ANY,
    CONTRACT,
    Absent,
    BaseTier,
    EvictionReason,
    Found,
    Offers,
    Reach,
    TierInfo,
)
from tiered_cache.entry import Entry
from tiered_cache.errors import ConfigurationError, RecordRefusedError, SerializationError
from tiered_cache.tiers.memory._eviction import has_own_bounds, make_policy
from tiered_cache.tiers.memory._sizing import estimate_bytes
from tiered_cache.tiers.memory._slots import Evicted, LiveSlots, Slot, SlotTable
from tiered_cache.units import Size, bytes_text, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiered_cache.contracts import Put, TierContext
    from tiered_cache_policies.contracts import EvictionPolicy

__all__ = ["MemoryTier"]

_STRIPES = 1024
_INF = math.inf


class MemoryTier(BaseTier[Entry]):
    """A tier that holds live Python objects in this process: the fastest, and the first of a stack.

    A hit returns the stored object itself, so callers must not change cached values. `copy`
    protects against callers that do, at the price of a walk over the value for each hit.

    Args:
        max_entries: Most entries.
        max_bytes: Most bytes, such as `"64MiB"`, counted as the sizes of the entries' records. If
            no tier below needs records, the sizes of the objects are estimated.
        eviction: The eviction policy: a name, a class or factory called with `(maxsize, getsizeof)`,
            or a policy object. The bounds of an object replace `max_entries`.
        copy: `"deep"` stores and returns deep copies. `"check"` compares a fingerprint on each hit;
            after a caller changed the stored value, it reports the key and removes the entry.
        name: The tier's name in statistics and events.

    Thread-safe: one lock, never held during a callback or I/O. With a policy of the kind
    `LockFreeReads`, such as the default, a hit takes no lock.

    Raises:
        ConfigurationError: An argument is not usable.
    """

    contract = CONTRACT
    reach = Reach.PROCESS
    holds_records = False

    def __init__(
        self,
        max_entries: int = 10_000,
        max_bytes: Size | None = None,
        *,
        eviction: str | EvictionPolicy | Callable[..., EvictionPolicy] = "s3fifo",
        copy: Literal["deep", "check"] | None = None,
        name: str = "memory",
    ) -> None:
        if type(max_entries) is not int or max_entries < 1:
            msg = f"max_entries={max_entries!r} of the memory tier is not a whole number of at least 1"
            raise ConfigurationError(msg)
        if copy not in (None, "deep", "check"):
            msg = f"copy={copy!r} of the memory tier is unknown: write None, 'deep' or 'check'"
            raise ConfigurationError(msg)
        self.name = name
        self._max_bytes = None if max_bytes is None else parse_size(max_bytes, name="max_bytes")
        self._max_entries = None if has_own_bounds(eviction) else max_entries
        self._copy = copy
        self._policy = make_policy(eviction, max_entries, self._max_bytes)
        self._table = SlotTable(
            self._policy, None if self._max_bytes is None else self._max_entries, self._until
        )
        self._lock = fork_safe_lock()
        self._generations = [0] * _STRIPES
        is_shown = copy is None  # else each hit copies or compares the value
        live = LiveSlots(self._table, self._lock, self._generations, is_shown=is_shown)
        self.offers: Offers = Offers(quick=is_shown, live=live)

    def __repr__(self) -> str:
        begin = f"<{type(self).__name__} {self.name}"
        if self._max_entries is None:
            return f"{begin}: at most {self._policy.maxsize:,} by {type(self._policy).__name__}>"
        size = "" if self._max_bytes is None else f", {bytes_text(self._max_bytes)}"
        return f"{begin}: at most {self._max_entries:,} entries{size}>"

    def open(self, context: TierContext) -> None:
        """Keep the clock and the callbacks of the stack."""
        self._context = context
        self._now = context.clock.monotonic
        self._wall = context.clock.wall
        self._trusted_until = context.trusted_until
        self._rest_s = context.rest_s
        self._copy_trusted_until = context.copy_trusted_until
        # Asked once: a cache without a refresh policy has no window before the end of freshness.
        self._has_windows = context.window_s(1.0, 1.0) > 0

    def get(self, key: str) -> Found[Entry] | Absent:
        """The live entry of `key`."""
        evicted: Evicted = []
        try:
            with self._lock:
                answer, slot = self._get(key, evicted)
        finally:
            if evicted:
                self._report(evicted)
        return answer if slot is None else self._hand_out(key, answer, slot)

    def _get(self, key: str, evicted: Evicted) -> tuple[Found[Entry] | Absent, Slot | None]:
        try:
            slot: Slot = self._policy[key]
        except KeyError:
            return self._absent(key), None
        slot.calls += 1
        remaining = slot.gone - self._now()
        if remaining <= 0:
            self._table.remove(key, slot)
            evicted.append((key, slot.size, EvictionReason.EXPIRED))
            return self._absent(key), None
        slot.until = self._until(key, slot)
        return Found(slot.entry, remaining, (self._generations[_stripe(key)], slot.serial)), slot

    def _until(self, key: str, slot: Slot) -> float:
        """The end of hits without a call."""
        if self._copy_trusted_until is None:
            trusted_until = self._trusted_until()
        else:
            trusted_until = self._copy_trusted_until(key, slot.entry)
        until = min(slot.unseen, trusted_until)
        return min(until, self._now() + self._rest_s(key)) if self._table.has_evicted else until

    def _absent(self, key: str) -> Absent:
        return Absent((self._generations[_stripe(key)], 0))

    def _hand_out(
        self, key: str, answer: Found[Entry] | Absent, slot: Slot
    ) -> Found[Entry] | Absent:
        if self._copy == "deep" and isinstance(answer, Found):
            return answer._replace(item=_copy_of(slot.entry, copying.deepcopy(slot.value)))
        if self._copy == "check" and self._context.fingerprint(slot.value) != slot.digest:
            self.delete(key)
            self._context.mutated(key)
            return self._absent(key)
        return answer

    def put(self, key: str, put: Put[Entry]) -> bool:
        """Hold an entry for `lifetime_s` of the monotonic clock, or until the entry's own end."""
        entry = put.item
        if not isinstance(entry, Entry):  # pyright: ignore[reportUnnecessaryIsInstance] # a caller without a type checker
            msg = "got bytes, and a memory tier holds entries"
            raise RecordRefusedError(msg, tier=self.name, operation="put", key=key)
        now = self._now()
        slot = self._make_slot(key, entry, put.lifetime_s, now)
        evicted: Evicted = []
        try:
            with self._lock:
                return self._put(key, slot, put.expected, now, evicted)
        finally:
            if evicted:
                self._report(evicted)

    def _make_slot(self, key: str, entry: Entry, lifetime_s: float, now: float) -> Slot:
        value = entry.value
        if self._copy == "deep":
            try:
                value = copying.deepcopy(value)
            except Exception as error:
                msg = f"a {type(value).__name__} can't be copied: write copy=None or copy='check'"
                raise RecordRefusedError(msg, tier=self.name, operation="put", key=key) from error
        size = entry.size_bytes or (estimate_bytes(value) if self._max_bytes else 0)
        # The entry's own end counts as well: writing the tiers below first took some of the lifetime.
        stale_until_s = entry.stale_until_s
        left = stale_until_s - self._wall()
        gone = now + min(lifetime_s, left)
        until = gone if stale_until_s == entry.fresh_until_s else gone - entry.grace_s
        if self._has_windows and until < _INF:
            lifetime_s = entry.fresh_until_s - entry.created_s
            until -= self._context.window_s(lifetime_s, entry.cost_s)
        if entry.tags:
            until = -_INF  # each hit must check whether a tag was invalidated
        slot = Slot(entry, value, until, gone, size)
        slot.until = self._until(key, slot)
        if self._copy == "check":
            try:
                slot.digest = self._context.fingerprint(value)
            except SerializationError as error:
                raise RecordRefusedError(
                    error.message, tier=self.name, operation="put", key=key
                ) from error
        return slot

    def _put(self, key: str, slot: Slot, expected: object, now: float, evicted: Evicted) -> bool:
        stripe = hash(key) % _STRIPES
        there = self._table.peek(key)
        if expected is ANY:
            self._generations[stripe] += 1
        else:
            serial = there.serial if there is not None and there.gone > now else 0
            if expected != (self._generations[stripe], serial):
                return False
        if there is not None:
            self._table.remove(key, there)
        try:
            self._table.insert(key, slot, now, evicted)
        except ValueError as error:  # of cachetools, for a value larger than the cache
            msg = f"the value has {slot.size} bytes, more than the tier's max_bytes"
            raise RecordRefusedError(msg, tier=self.name, operation="put", key=key) from error
        return True

    def delete(self, key: str) -> bool:
        """Remove `key`, and refuse fills after an earlier lookup."""
        with self._lock:
            self._generations[_stripe(key)] += 1
            slot = self._table.peek(key)
            if slot is None:
                return False
            self._table.remove(key, slot)
            return slot.gone > self._now()

    def clear(self, prefix: str = "") -> int:
        """Remove every key that begins with `prefix`, and refuse all pending fills."""
        with self._lock:
            self._generations[:] = [each + 1 for each in self._generations]
            now = self._now()
            found = self._table.starting_with(prefix)
            for key, slot in found:
                self._table.remove(key, slot)
            if not self._policy:
                self._table.expiries.clear()
            return sum([slot.gone > now for _, slot in found])

    def scan(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with `prefix`, as of the call."""
        with self._lock:
            now = self._now()
            keys = [key for key, slot in self._table.starting_with(prefix) if slot.gone > now]
        return iter(keys)

    def info(self) -> TierInfo:
        """Sizes and bounds. Expired entries count until they are removed."""
        with self._lock:
            return TierInfo(
                entries=len(self._policy),
                bytes=sum([slot.size for _, slot in self._table.starting_with("")]),
                max_entries=self._max_entries,
                max_bytes=self._max_bytes,
            )

    def close(self) -> None:
        """Remove all entries."""
        with self._lock:
            self._policy.clear()
            self._table.expiries.clear()

    def _report(self, evicted: Evicted) -> None:
        for key, size, reason in evicted:
            self._context.evicted(key, size, reason)


def _stripe(key: str) -> int:
    return hash(key) % _STRIPES


def _copy_of(entry: Entry, value: object) -> Entry:
    copied = Entry(
        value,
        created_s=entry.created_s,
        fresh_until_s=entry.fresh_until_s,
        stale_until_s=entry.stale_until_s,
        cost_s=entry.cost_s,
        lead_s=entry.lead_s,
        tags=entry.tags,
        generation=entry.generation,
        size_bytes=entry.size_bytes,
    )
    copied.head = entry.head
    return copied
