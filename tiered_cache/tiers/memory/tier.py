"""The memory tier: live entries in this process, in an order that an eviction policy keeps."""

from __future__ import annotations

import copy as copying
import math
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, Literal

from cachetools import Cache

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.contracts import (
    ANY,
    Absent,
    EvictionReason,
    Found,
    OneByOne,
    Reach,
    TierContext,
    TierInfo,
)
from tiered_cache.entry import Entry
from tiered_cache.errors import ConfigurationError, RecordRefusedError, SerializationError
from tiered_cache.tiers.memory._sizing import estimate_bytes
from tiered_cache.units import Size, parse_size
from tiered_cache_policies.contracts import CostAware, EvictionPolicy, LockFreeReads, Node
from tiered_cache_policies.policy_registry import find_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["MemoryTier"]

_STRIPES = 1024
_NO_NODES: dict[str, Node] = {}
_EXPIRE_PER_PUT = 4
_INF = math.inf
_UNMEASURED_S = 0.001

Evicted = list[tuple[str, int, EvictionReason]]


class _Held:
    """What the policy holds for a key. `value` and `until` are what the inlined hit reads.

    `until` is where the freshness ends, or where the engine begins to want to see the hits, which
    is `unseen`, or where others may have changed the value below.
    """

    __slots__ = ("digest", "entry", "gone", "node", "serial", "size", "unseen", "until", "value")

    def __init__(self, entry: Entry, value: Any, unseen: float, gone: float, size: int) -> None:
        self.entry = entry
        self.value = value
        self.until = self.unseen = unseen
        self.gone = gone
        self.size = size
        self.serial = 0
        self.digest = b""
        self.node: Node | None = None

    def take_seconds_saved(self) -> float:
        """What its hits saved, on its way out; lets go of the node, which refers back to it."""
        saved = self.seconds_saved()
        self.node = None
        return saved

    def seconds_saved(self) -> float:
        """The computing seconds that its lock-free hits made unnecessary."""
        node = self.node
        return 0.0 if node is None else self.entry.cost_s * (node.total_visits + node.visits)


class MemoryTier(OneByOne):
    """Live Python objects in this process.

    By default a hit hands out the stored object itself: it is the fastest, and right as long as
    nobody changes a cached value.

    Args:
        max_entries: The most entries that it holds.
        max_bytes: The most bytes, such as `"64MiB"`, counted as the size of the entries' records;
            where no tier below needs a record, by an estimate of the objects' size.
        eviction: The eviction policy: a name, a class or factory called with
            `(maxsize, getsizeof)`, or a policy of your own making, whose bounds then hold.
        copy: `"deep"` stores and hands out deep copies; `"check"` notices, on the next hit, that
            a caller changed the stored value, reports the key and drops it. Both make a hit
            slower by a walk over the value.
        name: Its name in statistics and events.

    Thread-safe: one lock, never held over a callback or I/O. With a policy of the kind
    `LockFreeReads` (the default) a hit takes no lock.
    """

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
            msg = f"max_entries={max_entries!r} of the memory tier must be a whole number of at least 1"
            raise ConfigurationError(msg)
        if copy not in (None, "deep", "check"):
            msg = f"copy={copy!r} of the memory tier must be None, 'deep' or 'check'"
            raise ConfigurationError(msg)
        self.name = name
        self._max_entries: int | None = max_entries
        self._max_bytes = None if max_bytes is None else parse_size(max_bytes, name="max_bytes")
        self._copy = copy
        self._policy = self._make_policy(eviction)
        self._nodes = self._policy.nodes if isinstance(self._policy, LockFreeReads) else _NO_NODES
        self._lock = fork_safe_lock()
        self._generations = [0] * _STRIPES
        self._expiries: list[tuple[float, int, str]] = []
        self._serial = 0
        self._retired_saved_s = 0.0
        self._leaving: Evicted = []
        self._evicts = False
        """Whether it ever let anything go for want of room."""
        self._pop = self._policy.popitem
        # The policy evicts by its own popitem() in the middle of an insertion: this is the one
        # place where that can be seen for any policy, cachetools' own included.
        setattr(self._policy, "popitem", self._evict)  # noqa: B010 - a method can't be assigned to

    def _make_policy(
        self, eviction: str | EvictionPolicy | Callable[..., EvictionPolicy]
    ) -> EvictionPolicy:
        if isinstance(eviction, str):
            try:
                factory: Callable[..., EvictionPolicy] = find_policy("eviction", eviction)
            except LookupError as error:
                raise ConfigurationError(str(error.args[0])) from error
        elif callable(eviction):
            factory = eviction
        else:
            if self._max_bytes is not None:
                msg = f"max_bytes={self._max_bytes} has no effect on {eviction!r}, which has bounds of its own: leave one of them out"
                raise ConfigurationError(msg)
            if not hasattr(eviction, "popitem"):
                msg = f"eviction={eviction!r} of the memory tier must be a policy's name, class or object"
                raise ConfigurationError(msg)
            self._max_entries = None
            return eviction
        try:
            if self._max_bytes is None:
                policy = factory(self._max_entries)
            else:
                policy = factory(self._max_bytes, getsizeof=_size_of)
        except TypeError as error:
            msg = f"eviction={eviction!r} can't be made from a maxsize and a getsizeof alone ({error}): pass an object of it"
            raise ConfigurationError(msg) from error
        if isinstance(policy, CostAware):
            policy.getcost = _cost_of
        return policy

    @property
    def is_quick(self) -> bool:
        """Whether an event loop may call it: not where it walks over each value."""
        return self._copy is None

    @property
    def live(self) -> Mapping[str, Node]:
        """Nodes by key for the inlined hit; empty where a hit must go through `get`."""
        return self._nodes if self._copy is None else _NO_NODES

    @property
    def counts_live_hits(self) -> bool:
        """Whether the policy keeps visits, from which the seconds saved are known."""
        return self._copy is None and self._nodes is not _NO_NODES

    def live_token(self, key: str) -> object:
        """The token of a key that is not in `live`."""
        return self._generations[hash(key) % _STRIPES], 0

    def live_seconds_saved(self) -> float:
        """The computing seconds that hits made unnecessary, about. Walks all entries."""
        with self._lock:
            held: list[_Held] = [node.value for node in self._nodes.values()]
            return self._retired_saved_s + sum([each.seconds_saved() for each in held])

    def open(self, context: TierContext) -> None:
        """Take the clock and the callbacks."""
        self._context = context
        self._now = context.clock.monotonic
        self._wall = context.clock.wall
        self._trusted_until = context.trusted_until
        self._rest_s = context.rest_s
        # A cache without a refresh policy has none, and pays nothing for asking.
        self._has_windows = context.window_s(1.0, 1.0) > 0

    def get(self, key: str) -> Found | Absent:
        """The live entry of `key`."""
        evicted: Evicted = []
        try:
            with self._lock:
                answer, held = self._get(key, evicted)
        finally:
            if evicted:
                self._tell(evicted)
        return answer if held is None else self._hand_out(key, answer, held)

    def _get(self, key: str, evicted: Evicted) -> tuple[Found | Absent, _Held | None]:
        try:
            held: _Held = self._policy[key]
        except KeyError:
            return self._absent(key), None
        remaining = held.gone - self._now()
        if remaining <= 0:
            self._remove(key, held)
            evicted.append((key, held.size, EvictionReason.EXPIRED))
            return self._absent(key), None
        held.until = self._until(key, held)
        return Found(held.entry, remaining, (self._generations[_stripe(key)], held.serial)), held

    def _until(self, key: str, held: _Held) -> float:
        """Up to when its hits may be read without a call."""
        until = min(held.unseen, self._trusted_until())
        return min(until, self._now() + self._rest_s(key)) if self._evicts else until

    def _absent(self, key: str) -> Absent:
        return Absent((self._generations[_stripe(key)], 0))

    def _hand_out(self, key: str, answer: Found | Absent, held: _Held) -> Found | Absent:
        if self._copy == "deep" and isinstance(answer, Found):
            return answer._replace(item=_copy_of(held.entry, copying.deepcopy(held.value)))
        if self._copy == "check" and self._context.fingerprint(held.value) != held.digest:
            self.delete(key)
            self._context.mutated(key)
            return self._absent(key)
        return answer

    def put(
        self,
        key: str,
        item: Entry | bytes,
        lifetime_s: float,
        *,
        expected: object = ANY,
        fill: bool = False,
    ) -> bool:
        """Hold `item` until `lifetime_s` seconds of the monotonic clock have passed."""
        if not isinstance(item, Entry):
            msg = "a memory tier holds entries, not bytes"
            raise RecordRefusedError(msg, tier=self.name, operation="put", key=key)
        now = self._now()
        held = self._to_held(key, item, lifetime_s, now)
        evicted: Evicted = []
        try:
            with self._lock:
                return self._put(key, held, expected, now, evicted)
        finally:
            if evicted:
                self._tell(evicted)

    def _to_held(self, key: str, entry: Entry, lifetime_s: float, now: float) -> _Held:
        value = entry.value
        if self._copy == "deep":
            try:
                value = copying.deepcopy(value)
            except Exception as error:
                msg = f"a {type(value).__name__} can't be copied: use copy=None or 'check'"
                raise RecordRefusedError(msg, tier=self.name, operation="put", key=key) from error
        size = entry.size_bytes or (estimate_bytes(value) if self._max_bytes else 0)
        # The entry's own end as well: the tiers below were written first, which took its time.
        stale_until_s = entry.stale_until_s
        left = stale_until_s - self._wall()
        gone = now + min(lifetime_s, left)
        until = gone if stale_until_s == entry.fresh_until_s else gone - entry.grace_s
        if self._has_windows and until < _INF:
            lifetime_s = entry.fresh_until_s - entry.created_s
            until -= self._context.window_s(lifetime_s, entry.cost_s)
        if entry.tags:
            until = -_INF  # its hits must be seen: a tag may have been invalidated
        held = _Held(entry, value, until, gone, size)
        held.until = self._until(key, held)
        if self._copy == "check":
            try:
                held.digest = self._context.fingerprint(value)
            except SerializationError as error:
                raise RecordRefusedError(
                    error.message, tier=self.name, operation="put", key=key
                ) from error
        return held

    def _put(self, key: str, held: _Held, expected: object, now: float, evicted: Evicted) -> bool:
        stripe = hash(key) % _STRIPES
        there = self._peek(key)
        if expected is ANY:
            self._generations[stripe] += 1
        else:
            serial = there.serial if there is not None and there.gone > now else 0
            if expected != (self._generations[stripe], serial):
                return False
        if there is not None:
            self._remove(key, there)
        self._leaving = evicted
        expiries = self._expiries
        if expiries and expiries[0][0] <= now:
            self._drop_expired(now, evicted)
        self._serial = held.serial = self._serial + 1
        try:
            self._policy[key] = held
        except ValueError as error:  # cachetools' word for a value larger than the cache
            msg = f"the value's {held.size} bytes are more than the tier's max_bytes"
            raise RecordRefusedError(msg, tier=self.name, operation="put", key=key) from error
        if self._nodes is not _NO_NODES:
            held.node = self._nodes.get(key)
        if self._max_bytes is not None and self._max_entries is not None:
            while len(self._policy) > self._max_entries:
                self._policy.popitem()
        if held.gone < _INF:
            heappush(expiries, (held.gone, held.serial, key))
            if len(expiries) > 2 * len(self._policy) + _STRIPES:
                self._forget_stale_expiries()
        return True

    def delete(self, key: str) -> bool:
        """Remove `key`; fills that were read before are refused from now on."""
        with self._lock:
            self._generations[_stripe(key)] += 1
            held = self._peek(key)
            if held is None:
                return False
            self._remove(key, held)
            return held.gone > self._now()

    def clear(self, prefix: str = "") -> int:
        """Remove every key that begins with `prefix`; all pending fills are refused."""
        with self._lock:
            self._generations = [each + 1 for each in self._generations]
            now = self._now()
            found = self._begin_with(prefix)
            for key, held in found:
                self._remove(key, held)
            if not self._policy:
                self._expiries.clear()
            return sum([held.gone > now for _, held in found])

    def scan(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with `prefix`, as of now."""
        with self._lock:
            now = self._now()
            keys = [key for key, held in self._begin_with(prefix) if held.gone > now]
        return iter(keys)

    def info(self) -> TierInfo:
        """How full it is; entries that expired and were not yet reclaimed are counted."""
        with self._lock:
            return TierInfo(
                entries=len(self._policy),
                bytes=sum([held.size for _, held in self._begin_with("")]),
                max_entries=self._max_entries,
                max_bytes=self._max_bytes,
            )

    def close(self) -> None:
        """Drop everything."""
        with self._lock:
            self._policy.clear()
            self._expiries.clear()

    def _peek(self, key: str) -> _Held | None:
        """What is held for a key, without counting as a use of it."""
        held: _Held
        if self._nodes is not _NO_NODES:
            node = self._nodes.get(key)
            return None if node is None else node.value
        if key not in self._policy:
            return None
        if isinstance(self._policy, Cache):
            # The base class's own method: a subclass's would move the key in its order.
            held = Cache.__getitem__(self._policy, key)
        else:
            held = self._policy[key]
        return held

    def _begin_with(self, prefix: str) -> list[tuple[str, _Held]]:
        keys = [key for key in self._policy if key.startswith(prefix)]
        return [(key, held) for key in keys if (held := self._peek(key)) is not None]

    def _remove(self, key: str, held: _Held) -> None:
        self._retired_saved_s += held.take_seconds_saved()
        del self._policy[key]

    def _evict(self) -> tuple[str, Any]:
        key, held = self._pop()
        if not self._evicts:
            self._evicts = True
            for name, node in self._nodes.items():
                node.value.until = self._until(name, node.value)
        self._retired_saved_s += held.take_seconds_saved()
        self._leaving.append((key, held.size, EvictionReason.SIZE))
        return key, held

    def _drop_expired(self, now: float, evicted: Evicted) -> None:
        """Reclaim a few of the entries that expired first: bounded work, and puts outnumber them."""
        for _ in range(_EXPIRE_PER_PUT):
            if not self._expiries or self._expiries[0][0] > now:
                break
            _, serial, key = heappop(self._expiries)
            held = self._peek(key)
            if held is not None and held.serial == serial:
                self._remove(key, held)
                evicted.append((key, held.size, EvictionReason.EXPIRED))

    def _forget_stale_expiries(self) -> None:
        """Rebuild the heap without the deadlines of entries that left or were replaced."""
        self._expiries = [
            each
            for each in self._expiries
            if (held := self._peek(each[2])) is not None and held.serial == each[1]
        ]
        heapify(self._expiries)

    def _tell(self, evicted: Evicted) -> None:
        for key, size, reason in evicted:
            self._context.evicted(key, size, reason)


def _stripe(key: str) -> int:
    return hash(key) % _STRIPES


def _size_of(held: _Held) -> int:
    return held.size or 1


def _cost_of(held: _Held) -> float:
    """The seconds that computing it took; a set value, which nobody measured, counts a little."""
    return held.entry.cost_s or _UNMEASURED_S


def _copy_of(entry: Entry, value: object) -> Entry:
    return Entry(
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
