"""The write-back queue: of each key the latest change that is not yet in every tier."""

from __future__ import annotations

import math
import random
import threading
from typing import TYPE_CHECKING, Any

from tiered_cache._process.fork import call_in_child, fork_safe_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tiered_cache._engine.state.entry_records import Records
    from tiered_cache.contracts import JournalRow
    from tiered_cache.entry import Entry
    from tiered_cache_policies.contracts import QueueLimits

__all__ = ["MAX_ATTEMPTS", "Pending", "WriteQueue"]

MAX_ATTEMPTS = 8
"""How often a tier may refuse a record before it is parked: a minute and a half of trying."""

_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 30.0
_SOON = 0.5
"""How much of the flush interval before it is due a key may be flushed with others."""


class Pending:
    """One change on its way down: of a key, or a clear of all keys with a prefix.

    Attributes:
        key: The key or prefix.
        entry: The value; `None` for a deletion.
        records: Its records, which keep what the value was when it was queued.
        as_of_s: When it was decided: it gives way to what is newer.
        levels: The tiers that it has not reached, in the order in which they are written.
        tokens: For a fill, what each tier must still hold; `None` for a change.
        row: Where the journal keeps it, if it does.
        since_s: When the key was first queued, by the monotonic clock.
        touched_s: When it was last written.
        retry_s: When it may be tried again.
        tries: How often it did not land.
        attempts: How often of these a healthy tier did not take it.
        trouble: Why the last attempt failed.
        insists: Whether it is to be written even if nobody can tell what happened to the key since.
        unread: Whether it is no answer to a reader yet: something newer may be in the tiers.
    """

    __slots__ = (
        "as_of_s",
        "attempts",
        "entry",
        "insists",
        "key",
        "levels",
        "records",
        "retry_s",
        "row",
        "since_s",
        "tokens",
        "touched_s",
        "tries",
        "trouble",
        "unread",
    )

    def __init__(
        self,
        key: str,
        entry: Entry | None,
        as_of_s: float,
        levels: tuple[int, ...],
        *,
        records: Records | None = None,
        tokens: Sequence[object] | None = None,
        row: JournalRow | None = None,
        insists: bool = False,
        unread: bool = False,
    ) -> None:
        self.key = key
        self.entry = entry
        self.records = records
        self.as_of_s = as_of_s
        self.levels = levels
        self.tokens = tokens
        self.row = row
        self.insists = insists
        self.unread = unread
        self.since_s = self.touched_s = self.retry_s = 0.0
        self.tries = self.attempts = 0
        self.trouble = ""


class WriteQueue:
    """Holds what waits, bounded, and hands it out in batches. Thread-safe.

    A key is in `held` from the moment when it is queued until its last tier has it, also while it
    is being written: readers look there before they ask a tier that it has not reached.

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
        """The clears that some tiers have missed, by their prefix."""
        self.parked = 0
        """How many changes could not be written and were given up."""
        self._lock = fork_safe_lock()
        self.changed = threading.Condition(self._lock)
        self._monotonic = monotonic
        self._jitter = jitter
        self._half = (limits.max_pending + 1) // 2
        self._writing: set[str] = set()
        self._hurry = 0
        self._wakes_s = -math.inf
        """Until when `sleep` sleeps, unless it is woken."""
        self._watchers: list[Callable[[], None]] = []
        call_in_child(self._start_empty)

    def __len__(self) -> int:
        return len(self.held)

    def has_room(self, key: str, more: int = 0) -> bool:
        """Whether `key`, and so many new ones `more`, can be queued now."""
        return key in self.held or len(self.held) + more < self.limits.max_pending

    def wait_for_room(self, key: str, timeout_s: float, more: int = 0) -> bool:
        """Wait until `key`, and so many new ones `more`, can be queued; whether they can."""
        with self.changed:
            return self.changed.wait_for(lambda: self.has_room(key, more), timeout_s)

    def is_written(self, prefix: str) -> bool:
        """Whether no key that begins with `prefix` is being written."""
        with self.changed:
            return self._is_written(prefix)

    def _is_written(self, prefix: str) -> bool:
        return not any(key.startswith(prefix) for key in self._writing)

    def watch(self, call: Callable[[], None]) -> None:
        """Have `call` called, from any thread, whenever something has left the queue."""
        with self.changed:
            self._watchers.append(call)

    def unwatch(self, call: Callable[[], None]) -> None:
        """Call `call` no more."""
        with self.changed:
            self._watchers.remove(call)

    def _tell_watchers(self) -> None:
        for call in list(self._watchers):
            call()

    def put(self, pending: Pending, *, replayed: bool = False) -> bool:
        """Queue a change in the place of an earlier one of its key; whether it was.

        A fill does not replace a change, nor does what comes from outside, `replayed`, replace what
        is as new as itself.
        """
        with self.changed:
            return self._put(pending, self._monotonic(), replayed=replayed)

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
            # A deletion that took the place of what is tried once more is as old as that.
            lead_s = before.as_of_s - pending.as_of_s
            newer = lead_s > 0 or (lead_s == 0 and not pending.insists)
            if replayed and before.tokens is None and newer:
                before.row = before.row or pending.row  # to be forgotten with the newer one
                return False
        if before is not None and pending.row is None:
            pending.row = before.row  # which is to be forgotten with this one
        pending.touched_s = now
        pending.since_s = now if before is None else before.since_s
        self.held[pending.key] = pending
        depth = len(self.held)
        fills_half = before is None and depth == self._half
        if depth <= 1 or fills_half or now + self.limits.flush_interval_s < self._wakes_s:
            self.changed.notify_all()
        return True

    def renew(self, each: Pending, records: Records, row: JournalRow | None) -> bool:
        """Replace the value of a change that still waits; whether it does."""
        with self.changed:
            if self.held.get(each.key) is not each or each.key in self._writing:
                return False
            each.entry, each.records, each.row = records.entry, records, row
            return True

    def remove(self, key: str) -> Pending | None:
        """Forget what waits for `key`, because something newer went past it."""
        with self.changed:
            found = self.held.pop(key, None)
            self.changed.notify_all()
        self._tell_watchers()
        return found

    def remove_all(self, prefix: str) -> list[Pending]:
        """Forget what waits for keys that begin with `prefix`."""
        with self.changed:
            found = [each for key, each in self.held.items() if key.startswith(prefix)]
            for each in found:
                del self.held[each.key]
            self.changed.notify_all()
        self._tell_watchers()
        return found

    def put_clear(self, clearing: Pending) -> list[Pending]:
        """Queue a clear; those that it takes the place of, and whose tiers are its own from now on."""
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
        """The clears that a clear of `prefix` would take the place of."""
        with self.changed:
            return self._covered_by(prefix)

    def _covered_by(self, prefix: str) -> list[Pending]:
        return [each for each in self.clears.values() if each.key.startswith(prefix)]

    def due_clears(self) -> list[Pending]:
        """The clears that are to be tried now."""
        now = self._monotonic()
        with self.changed:
            return [each for each in self.clears.values() if each.retry_s <= now]

    def settle_clear(self, clearing: Pending) -> bool:
        """Forget a clear that all tiers have by now; whether it was none that others took the place of."""
        with self.changed:
            if self.clears.get(clearing.key) is not clearing:
                return False
            del self.clears[clearing.key]
            self.changed.notify_all()
            return True

    def forget_all(self) -> None:
        """Hold nothing any more."""
        with self.changed:
            self.held.clear()
            self.clears.clear()
            self.changed.notify_all()
        self._tell_watchers()

    def take(self) -> list[Pending]:
        """A batch, oldest first; it counts as being written until `settle`.

        It is empty unless something is due, and then has what is soon due as well: under a steady
        stream of writes each would else be flushed by itself.
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
        """The monotonic instant at which something will be due; `inf` with nothing waiting."""
        all_due = self._hurry > 0 or len(self.held) >= self._half
        due = [self._due_s(each, all_due) for each in self.held.values()]
        due += [each.retry_s for each in self.clears.values()]
        return min(due, default=math.inf)

    def outcome(self, batch: Sequence[Pending]) -> tuple[list[Pending], list[Pending]]:
        """What of a batch has reached every tier, and what is to be given up and parked.

        What was replaced meanwhile is neither: its place in the journal is its successor's.
        """
        with self.changed:
            return self._outcome(batch)

    def _outcome(self, batch: Sequence[Pending]) -> tuple[list[Pending], list[Pending]]:
        latest = [each for each in batch if self.held.get(each.key) is each]
        done = [each for each in latest if not each.levels]
        parked = [each for each in latest if each.levels and each.attempts >= MAX_ATTEMPTS]
        return done, parked

    def settle(self, batch: Sequence[Pending]) -> None:
        """Take back a batch: what has reached every tier, or is parked, leaves the queue.

        A deletion takes the place of a value that is parked: what the tiers held before is older still,
        and not to be served. Of a fill that is not so: what was set while it was computed may be there.
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
        self._tell_watchers()

    def sleep(self, most_s: float) -> None:
        """Wait until something is due, or may be sooner than it was; at most for `most_s`.

        For one thread at a time: the one that flushes.
        """
        with self.changed:
            # With the lock held: what is put from now on sees how long this sleeps.
            now = self._monotonic()
            self._wakes_s = min(self._next_due_s(), now + most_s)
            if self._wakes_s > now:
                self.changed.wait(self._wakes_s - now)
            self._wakes_s = -math.inf

    def postpone(self, each: Pending, trouble: str, *, refused: bool) -> None:
        """Try a change again later: after a delay that doubles, with full jitter.

        Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

        Args:
            each: The change.
            trouble: Why it did not land.
            refused: Whether the tier is healthy, so that it is this record's own fault.
        """
        each.trouble = trouble
        each.tries += 1
        each.attempts += refused
        ceiling = min(_LAST_RETRY_S, _FIRST_RETRY_S * 2 ** min(each.tries, 16))
        each.retry_s = self._monotonic() + ceiling * self._jitter()

    def give_up(self, each: Pending, trouble: str) -> None:
        """Have a change parked, whatever attempts it has left."""
        each.trouble = trouble
        each.attempts = MAX_ATTEMPTS

    def age_s(self, each: Pending) -> float:
        """Seconds since a change was queued."""
        return self._monotonic() - each.touched_s

    def drain(self, timeout_s: float) -> list[str]:
        """Have everything written at once; what was not when the time was over.

        Keys, and of clears the prefixes with a `*`.
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
        """Wait until no key that begins with `prefix` is being written; whether none is."""
        with self.changed:
            return self.changed.wait_for(lambda: self._is_written(prefix), timeout_s)

    def figures(self) -> dict[str, Any]:
        """How many changes wait, the age of the oldest in seconds, and how many are parked."""
        with self.changed:
            waiting = [*self.held.values(), *self.clears.values()]
            oldest = min((each.since_s for each in waiting), default=None)
            age_s = 0.0 if oldest is None else self._monotonic() - oldest
            return {"depth": len(waiting), "age_s": age_s, "parked": self.parked}

    def _start_empty(self) -> None:
        """In a forked child: what waits is the parent's to write, and so are its waiters."""
        self.changed = threading.Condition(self._lock)
        self.held.clear()
        self.clears.clear()
        self.parked = 0
        self._writing.clear()
        self._watchers.clear()
        self._hurry = 0
        self._wakes_s = -math.inf
