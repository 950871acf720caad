"""The slots of the memory tier, and their table in the order of an eviction policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cachetools import Cache

from tiered_cache.contracts import EvictionReason
from tiered_cache.tiers.memory._expiries import ExpiryHeap
from tiered_cache_policies.contracts import EvictionPolicy, LockFreeReads, Node

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from tiered_cache.entry import Entry

__all__ = ["NO_NODES", "Evicted", "LiveSlots", "Slot", "SlotTable"]

_EXPIRE_PER_PUT = 4
_SPARE_EXPIRIES = 1024
NO_NODES: dict[str, Node] = {}

Evicted = list[tuple[str, int, EvictionReason]]
"""Entries that left without a request: key, size in bytes and reason."""


class Slot:
    """An entry with its instants and its size.

    The inlined hit of the engine reads `value` and `until` and nothing else.

    Args:
        entry: The entry.
        value: The value that a hit returns: that of the entry, or a copy.
        until: The end of hits without a call, in seconds of the monotonic clock. After it, the
            engine must see the hits: the value is stale, or may be refreshed.
        gone: The end of the entry, in seconds of the monotonic clock.
        size: The size in bytes; 0 if it is unknown.

    Attributes:
        until: As given, or earlier if other processes may have changed the value below.
        unseen: `until` as given.
        serial: The number of the write; with the stripe's generation, the token of the key.
        digest: The fingerprint of the value, for `copy="check"`.
        node: The policy's node, which refers back to the slot; `None` for a policy without nodes.
        calls: The visits by calls of the tier. The caller counts its hits among them itself.
    """

    __slots__ = (
        "calls",
        "digest",
        "entry",
        "gone",
        "node",
        "serial",
        "size",
        "unseen",
        "until",
        "value",
    )

    def __init__(self, entry: Entry, value: Any, until: float, gone: float, size: int) -> None:
        self.entry = entry
        self.value = value
        self.until = self.unseen = until
        self.gone = gone
        self.size = size
        self.serial = 0
        self.digest = b""
        self.node: Node | None = None
        self.calls = 0

    def seconds_saved(self) -> float:
        """The computing seconds saved by the inlined hits, which its node counted."""
        node = self.node
        if node is None:
            return 0.0
        return self.entry.cost_s * (node.total_visits + node.visits - self.calls)

    def retire(self) -> float:
        """Cut the reference cycle with the node, on removal; the seconds saved until now."""
        saved_s = self.seconds_saved()
        self.node = None
        return saved_s


class SlotTable:
    """Slots by key, within the bounds of an eviction policy. The caller holds the tier's lock.

    Args:
        policy: The eviction policy.
        max_entries: A bound on entries beside that of the policy, which counts bytes; else `None`.
        until: Gives the end of hits without a call, for a key and its slot.

    Attributes:
        nodes: The policy's nodes by key, `NO_NODES` for a policy without nodes.
        expiries: The expiries of its slots.
        has_evicted: Whether it has evicted a slot for want of room.
        retired_saved_s: The computing seconds saved by slots that were removed.
    """

    def __init__(
        self,
        policy: EvictionPolicy,
        max_entries: int | None,
        until: Callable[[str, Slot], float],
    ) -> None:
        self._policy = policy
        self._max_entries = max_entries
        self._until = until
        self._serial = 0
        self._evicted: Evicted = []
        self.nodes = policy.nodes if isinstance(policy, LockFreeReads) else NO_NODES
        self.expiries = ExpiryHeap()
        self.has_evicted = False
        self.retired_saved_s = 0.0
        self._pop = policy.popitem
        # The policy calls its own popitem() in the middle of an insertion. This is the one place
        # where evictions of any policy can be seen, cachetools' own included.
        setattr(policy, "popitem", self._evict)  # noqa: B010 - a method can't be assigned to

    def peek(self, key: str) -> Slot | None:
        """The slot of a key. This is no use of it in the sense of the policy."""
        slot: Slot
        if self.nodes is not NO_NODES:
            node = self.nodes.get(key)
            return None if node is None else node.value
        if key not in self._policy:
            return None
        if isinstance(self._policy, Cache):
            # The method of the base class: that of a subclass would move the key in its order.
            slot = Cache.__getitem__(self._policy, key)
        else:
            slot = self._policy[key]
        return slot

    def starting_with(self, prefix: str) -> list[tuple[str, Slot]]:
        """The keys that begin with `prefix`, with their slots."""
        keys = [key for key in self._policy if key.startswith(prefix)]
        return [(key, slot) for key in keys if (slot := self.peek(key)) is not None]

    def insert(self, key: str, slot: Slot, now: float, evicted: Evicted) -> None:
        """Insert the slot of an absent key; entries that leave for it are added to `evicted`.

        Raises:
            ValueError: The slot is larger than the policy's bound.
        """
        self._evicted = evicted
        if self.expiries.first_s <= now:
            self._remove_expired(now)
        self._serial = slot.serial = self._serial + 1
        self._policy[key] = slot
        if self.nodes is not NO_NODES:
            slot.node = self.nodes.get(key)
        if self._max_entries is not None:
            while len(self._policy) > self._max_entries:
                self._policy.popitem()
        if slot.gone < float("inf"):
            expiries = self.expiries.push(slot.gone, slot.serial, key)
            if expiries > 2 * len(self._policy) + _SPARE_EXPIRIES:
                self.expiries.compact(self._is_current)

    def remove(self, key: str, slot: Slot) -> None:
        """Remove a slot that the table holds."""
        self.retired_saved_s += slot.retire()
        del self._policy[key]

    def _evict(self) -> tuple[str, Any]:
        key, slot = self._pop()
        if not self.has_evicted:
            self.has_evicted = True
            for name, node in self.nodes.items():
                node.value.until = self._until(name, node.value)
        self.retired_saved_s += slot.retire()
        self._evicted.append((key, slot.size, EvictionReason.SIZE))
        return key, slot

    def _remove_expired(self, now: float) -> None:
        """Remove the slots that expired first, a few for each insertion: bounded work that keeps up."""
        for _ in range(_EXPIRE_PER_PUT):
            if self.expiries.first_s > now:
                break
            serial, key = self.expiries.pop()
            slot = self.peek(key)
            if slot is not None and slot.serial == serial:
                self.remove(key, slot)
                self._evicted.append((key, slot.size, EvictionReason.EXPIRED))

    def _is_current(self, serial: int, key: str) -> bool:
        slot = self.peek(key)
        return slot is not None and slot.serial == serial


class LiveSlots:
    """Implements `LiveNodes` on the slots of a tier.

    Args:
        table: The slots.
        lock: The tier's lock.
        generations: The generations of the tier's keys, always the same list.
        is_shown: Whether hits may be inlined.
    """

    def __init__(
        self, table: SlotTable, lock: threading.Lock, generations: list[int], *, is_shown: bool
    ) -> None:
        self._table = table
        self._lock = lock
        self._generations = generations
        self.nodes: Mapping[str, Node] = table.nodes if is_shown else NO_NODES
        self.counts_hits = self.nodes is not NO_NODES

    def token(self, key: str) -> object:
        """The token of a key that is not in `nodes`."""
        generations = self._generations
        return generations[hash(key) % len(generations)], 0

    def seconds_saved(self) -> float:
        """The approximate computing seconds that inlined hits saved. Walks over all entries."""
        with self._lock:
            slots: list[Slot] = [node.value for node in self.nodes.values()]
            return self._table.retired_saved_s + sum([each.seconds_saved() for each in slots])
