"""The write-back queue: the latest change of each key that is not yet in every tier."""

from __future__ import annotations

import math
import random
import threading
from typing import TYPE_CHECKING, Any

from tiered_cache._engine.state.pending import Pending
from tiered_cache._process.fork import call_in_child, fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tiered_cache._engine.state.entry_records import EntryRecords
    from tiered_cache.contracts import JournalRow
    from tiered_cache_policies.contracts import QueueLimits

__all__ = ["MAX_ATTEMPTS", "WriteQueue"]

MAX_ATTEMPTS = 8
"""Refusals by healthy tiers after which a change is parked: a minute and a half of retries."""

_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 30.0
_SOON = 0.5
"""The part of the flush interval by which a key may be flushed early, together with others."""


class WriteQueue:
    """Holds changes, bounded, and hands them out in batches. Thread-safe.

    A key is in `held` from the moment it is queued until its last tier has it, also while it is
    flushed: readers look there before they ask a tier that it has not reached.

    Args:
        limits: The bounds.
        monotonic: The clock.
        jitter: A random number below 1, for the time between two attempts.
    """

    def __init__(
        self,
        limits: QueueLimits,
        monotonic: Callable[[], float],
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.limits = limits
        self.held: dict[str, Pending] = {}
        self.clears: dict[str, Pending] = {}
        """The clears that some tiers missed, by prefix."""
        self.parked = 0
        """How many changes were given up."""
        self._lock = fork_safe_lock()
        self.changed = threading.Condition(self._lock)
        self._monotonic = monotonic
        self._jitter = jitter
        self._half = (limits.max_pending + 1) // 2
        self._writing: set[str] = set()
        self._hurry = 0
        self._wakes_s = -math.inf
        """The monotonic instant until which `sleep` sleeps."""
        self._watchers: list[Callable[[], None]] = []
        call_in_child(self._start_empty)

    def __len__(self) -> int:
        return len(self.held)

    @property
    def batch_size(self) -> int:
        """How many keys are queued or flushed in one go."""
        return min(self.limits.max_batch, self.limits.max_pending)

    def has_room(self, key: str, more: int = 0) -> bool:
        """Whether `key` and `more` further new keys can be queued now."""
        return key in self.held or len(self.held) + more < self.limits.max_pending

    def wait_for_room(self, key: str, timeout_s: float, more: int = 0) -> bool:
        """Wait until `key` and `more` further new keys can be queued; whether they can."""
        with self.changed:
            return self.changed.wait_for(lambda: self.has_room(key, more), timeout_s)

    def is_written(self, prefix: str) -> bool:
        """Whether no key that begins with `prefix` is being flushed."""
        with self.changed:
            return self._is_written(prefix)

    def _is_written(self, prefix: str) -> bool:
        return not any(key.startswith(prefix) for key in self._writing)

    def watch(self, call: Callable[[], None]) -> None:
        """Call `call`, from any thread, whenever a change has left the queue."""
        with self.changed:
            self._watchers.append(call)

    def unwatch(self, call: Callable[[], None]) -> None:
        """Stop calling `call`."""
        with self.changed:
            self._watchers.remove(call)

    def _call_watchers(self) -> None:
        for call in list(self._watchers):
            call()

    def put(self, pending: Pending, *, replayed: bool = False) -> bool:
        """Queue a change in place of an earlier one of its key; whether it was queued.

        A fill does not replace a change. A change from a journal, `replayed`, does not replace one
        that is as new as itself.
        """
        with self.changed:
            return self._put(pending, self._monotonic(), replayed=replayed)

    def exchange(self, key: str, before: Pending | None, after: Pending | None) -> bool:
        """Queue `after` in place of `before`, or drop it, if it is still queued; whether it was."""
        with self.changed:
            if self.held.get(key) is not before:
                return False
            if after is not None:
                return self._put(after, self._monotonic(), replayed=False)
            self.held.pop(key, None)
            self.changed.notify_all()
        self._call_watchers()
        return True

    def put_all(self, changes: Iterable[Pending]) -> None:
        """Queue several changes as `put` does, together."""
        now = self._monotonic()
        with self.changed:
            for each in changes:
                self._put(each, now, replayed=False)

    def _put(self, pending: Pending, now: float, *, replayed: bool) -> bool:
        before = self.held.get(pending.key)
        if before is not None:
            if pending.tokens is not None and before.tokens is None:
                return False
            # A deletion that replaced a parked change is as old as the change that is retried.
            lead_s = before.as_of_s - pending.as_of_s
            newer = lead_s > 0 or (lead_s == 0 and not pending.insists)
            if replayed and before.tokens is None and newer:
                before.row = before.row or pending.row  # forgotten together with the newer one
                return False
        if before is not None and pending.row is None:
            pending.row = before.row  # forgotten together with this one
        pending.touched_s = now
        pending.since_s = now if before is None else before.since_s
        self.held[pending.key] = pending
        depth = len(self.held)
        fills_half = before is None and depth == self._half
        if depth <= 1 or fills_half or now + self.limits.flush_interval_s < self._wakes_s:
            self.changed.notify_all()
        return True

    def renew(self, each: Pending, records: EntryRecords, row: JournalRow | None) -> bool:
        """Replace the value of a change, if it still waits; whether it does."""
        with self.changed:
            if self.held.get(each.key) is not each or each.key in self._writing:
                return False
            each.entry, each.records, each.row = records.entry, records, row
            return True

    def remove(self, key: str) -> Pending | None:
        """Drop the change of `key`, because a newer one overtook it."""
        with self.changed:
            found = self.held.pop(key, None)
            self.changed.notify_all()
        self._call_watchers()
        return found

    def remove_all(self, prefix: str) -> list[Pending]:
        """Drop the changes of keys that begin with `prefix`."""
        with self.changed:
            found = [each for key, each in self.held.items() if key.startswith(prefix)]
            for each in found:
                del self.held[each.key]
            self.changed.notify_all()
        self._call_watchers()
        return found

    def put_clear(self, clearing: Pending) -> list[Pending]:
        """Queue a clear; the clears that it replaces, whose tiers it takes over."""
        with self.changed:
            over = self._covered_by(clearing.key)
            for each in over:
                del self.clears[each.key]
                clearing.as_of_s = max(clearing.as_of_s, each.as_of_s)
            levels = {*clearing.levels, *(index for each in over for index in each.levels)}
            clearing.levels = tuple(sorted(levels, reverse=True))
            clearing.since_s = self._monotonic()
            self.clears[clearing.key] = clearing
            self.changed.notify_all()
            return over

    def covered_by(self, prefix: str) -> list[Pending]:
        """The clears that a clear of `prefix` would replace."""
        with self.changed:
            return self._covered_by(prefix)

    def _covered_by(self, prefix: str) -> list[Pending]:
        return [each for each in self.clears.values() if each.key.startswith(prefix)]

    def due_clears(self) -> list[Pending]:
        """The clears that are due."""
        now = self._monotonic()
        with self.changed:
            return [each for each in self.clears.values() if each.retry_s <= now]

    def settle_clear(self, clearing: Pending) -> bool:
        """Drop a clear that reached all tiers; whether it was still queued and not replaced."""
        with self.changed:
            if self.clears.get(clearing.key) is not clearing:
                return False
            del self.clears[clearing.key]
            self.changed.notify_all()
            return True

    def forget_all(self) -> None:
        """Drop every change."""
        with self.changed:
            self.held.clear()
            self.clears.clear()
            self.changed.notify_all()
        self._call_watchers()

    def take(self) -> list[Pending]:
        """A batch, oldest first; it counts as being flushed until `settle`.

        It is empty unless a change is due. Then it holds those due soon as well: under a steady stream
        of writes, each would otherwise be flushed by itself.
        """
        now = self._monotonic()
        limits = self.limits
        soon = now + limits.flush_interval_s * _SOON
        with self.changed:
            all_due = self._hurry > 0 or len(self.held) >= self._half
            batch: list[Pending] = []
            some_due = False
            for each in self.held.values():
                if each.key in self._writing or each.retry_s > now:
                    continue
                due_s = self._due_s(each, all_due)
                if due_s <= soon:
                    some_due = some_due or due_s <= now
                    batch.append(each)
                    if len(batch) == limits.max_batch:
                        break
            if not some_due:
                return []
            self._writing.update([each.key for each in batch])
            return batch

    def _due_s(self, each: Pending, at_once: bool) -> float:
        if at_once:
            return each.retry_s
        limits = self.limits
        quiet_s = min(each.touched_s + limits.flush_interval_s, each.since_s + limits.max_delay_s)
        return max(quiet_s, each.retry_s)

    def _next_due_s(self) -> float:
        """The monotonic instant at which the next change is due; `inf` for an empty queue."""
        all_due = self._hurry > 0 or len(self.held) >= self._half
        due = [self._due_s(each, all_due) for each in self.held.values()]
        due += [each.retry_s for each in self.clears.values()]
        return min(due, default=math.inf)

    def outcome(self, batch: Sequence[Pending]) -> tuple[list[Pending], list[Pending]]:
        """The changes of a batch that reached every tier, and those that are given up and parked.

        A change that was replaced meanwhile is neither: its successor has its row in the journal.
        """
        with self.changed:
            return self._outcome(batch)

    def _outcome(self, batch: Sequence[Pending]) -> tuple[list[Pending], list[Pending]]:
        latest = [each for each in batch if self.held.get(each.key) is each]
        done = [each for each in latest if not each.levels]
        parked = [each for each in latest if each.levels and each.attempts >= MAX_ATTEMPTS]
        return done, parked

    def settle(self, batch: Sequence[Pending]) -> None:
        """Take back a batch: changes that reached every tier, or are parked, leave the queue.

        A deletion replaces a parked value: the tiers' older values must not be served. It does not
        replace a parked fill: the tiers may hold a value that was set while it was computed.
        """
        now = self._monotonic()
        with self.changed:
            done, parked = self._outcome(batch)
            for each in (*done, *parked):
                del self.held[each.key]
            for each in parked:
                if each.entry is not None and each.tokens is None:
                    self._put(
                        Pending(each.key, None, each.as_of_s, each.levels), now, replayed=True
                    )
            self._writing.difference_update([each.key for each in batch])
            self.parked += len(parked)
            self.changed.notify_all()
        self._call_watchers()

    def sleep(self, most_s: float) -> None:
        """Wait until a change is due, or may be due sooner; at most for `most_s` seconds.

        For one thread at a time, the flusher's.
        """
        with self.changed:
            # With the lock held, so that a later `put` sees until when this sleeps.
            now = self._monotonic()
            self._wakes_s = min(self._next_due_s(), now + most_s)
            if self._wakes_s > now:
                self.changed.wait(self._wakes_s - now)
            self._wakes_s = -math.inf

    def postpone(self, each: Pending, trouble: str, *, refused: bool) -> None:
        """Retry a change later: after a delay that doubles, with full jitter.

        Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

        Args:
            each: The change.
            trouble: Why it did not land.
            refused: Whether the tier is healthy, so that the record is at fault.
        """
        each.trouble = trouble
        each.tries += 1
        each.attempts += refused
        ceiling = min(_LAST_RETRY_S, _FIRST_RETRY_S * 2 ** min(each.tries, 16))
        each.retry_s = self._monotonic() + ceiling * self._jitter()

    def give_up(self, each: Pending, trouble: str) -> None:
        """Have a change parked, with or without attempts left."""
        each.trouble = trouble
        each.attempts = MAX_ATTEMPTS

    def age_s(self, each: Pending) -> float:
        """Seconds since a change was queued."""
        return self._monotonic() - each.touched_s

    def drain(self, timeout_s: float) -> list[str]:
        """Have everything flushed at once; the keys that were not in time.

        Clears are listed as their prefix with a `*`.
        """
        with self.changed:
            self._hurry += 1
            self.changed.notify_all()
            try:
                self.changed.wait_for(lambda: not self.held and not self.clears, timeout_s)
                return [*self.held, *(f"{prefix}*" for prefix in self.clears)]
            finally:
                self._hurry -= 1

    def wait_until_written(self, prefix: str, timeout_s: float) -> bool:
        """Wait until no key that begins with `prefix` is being flushed; whether none is."""
        with self.changed:
            return self.changed.wait_for(lambda: self._is_written(prefix), timeout_s)

    def figures(self) -> dict[str, Any]:
        """The depth of the queue, the age of its oldest change in seconds, and the parked changes."""
        with self.changed:
            waiting = [*self.held.values(), *self.clears.values()]
            oldest = min((each.since_s for each in waiting), default=None)
            age_s = 0.0 if oldest is None else self._monotonic() - oldest
            return {"depth": len(waiting), "age_s": age_s, "parked": self.parked}

    def _start_empty(self) -> None:
        """In a forked child: the parent flushes its changes and wakes its waiters."""
        self.changed = threading.Condition(self._lock)
        self.held.clear()
        self.clears.clear()
        self.parked = 0
        self._writing.clear()
        self._watchers.clear()
        self._hurry = 0
        self._wakes_s = -math.inf
