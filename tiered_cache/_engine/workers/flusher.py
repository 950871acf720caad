"""The thread that flushes the write-back queue and adopts the journals of dead processes."""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING, Any

from tiered_cache._engine.plans.clear import clear_late
from tiered_cache._engine.plans.flush import compare, flush
from tiered_cache._engine.state.entry_records import EntryRecords
from tiered_cache._engine.state.pending import Pending
from tiered_cache._process.exit import call_at_exit, hook_worker_exit
from tiered_cache._process.fork import call_in_child, fork_safe_lock
from tiered_cache.errors import JournalError, RecordError, show_key
from tiered_cache.events import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from tiered_cache._engine.effects import Plan
    from tiered_cache._engine.stack import Stack
    from tiered_cache.contracts import JournalRow

__all__ = ["Flusher"]

_log = logging.getLogger("tiered_cache")

_ADOPT_INTERVAL_S = 5.0
_EXIT_TIMEOUT_S = 10.0
_EXIT_PRIORITY = 1
"""Before the last statistics are published, which count the flushed writes."""


class Flusher:
    """Writes due changes, in a daemon thread that runs while changes wait.

    Started by the first queued write, and in a forked child by the first of its own. When the
    process ends, the queue is drained for at most 10 seconds.

    Args:
        stack: The stack whose queue it is.
        run: Runs a plan.
    """

    def __init__(self, stack: Stack, run: Callable[[Plan[Any]], Any]) -> None:
        self._stack = stack
        self._queue = stack.queue
        self._run = run
        self._lock = fork_safe_lock()
        self._running = False
        self._closed = False
        self._adopt_at_s = 0.0
        self._more_to_adopt = False
        call_in_child(self._forget_thread)
        call_at_exit(self._finish_at_exit, priority=_EXIT_PRIORITY)

    def _forget_thread(self) -> None:
        self._running = False

    def wake(self) -> None:
        """Start the thread, unless it runs."""
        if self._running:
            return
        with self._lock:
            if self._running:
                return
            self._running = True
        hook_worker_exit()
        thread = threading.Thread(target=self._work, name="tiered-cache-flusher", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the limit of threads is reached
            self._running = False
            self._stack.faults.report(
                "queue", "thread", f"No thread can be started to flush writes: {error}"
            )

    def _work(self) -> None:
        try:
            while True:
                if self._stack.clock.monotonic() >= self._adopt_at_s:
                    self.adopt()
                self.flush_due()
                if not self._wait():
                    return
        except BaseException:
            _log.exception("The write-back thread ended; the next queued write starts another")
            self._running = False
            raise

    def _wait(self) -> bool:
        """Sleep until a change is due; false, and the thread ends, if none waits."""
        with self._lock:
            # In this order: a writer that queued a change and then saw this run is noticed here.
            self._running = False
            if not self._queue.held and not self._queue.clears:
                self._running = self._more_to_adopt and not self._closed
                return self._running
            self._running = True
        self._queue.sleep(_ADOPT_INTERVAL_S)
        return True

    def flush_due(self) -> None:
        """Write the changes that are due."""
        for clearing in self._queue.due_clears():
            self._clear(clearing)
        while batch := self._queue.take():
            try:
                self._run(flush(self._stack, batch, self._stack.clock.wall()))
            except Exception as error:  # a strict stack raises the faults of its tiers
                for each in batch:
                    self._queue.postpone(each, str(error), refused=False)
                self._stack.faults.report("queue", type(error).__name__, f"A flush failed: {error}")
            # The journal first: a caller that waits for an empty queue finds an empty journal.
            done, parked = self._queue.outcome(batch)
            self._journal(done, parked)
            for each in parked:
                self._report_parked(each)
            self._queue.settle(batch)
            self._stack.events.emit()

    def _clear(self, clearing: Pending) -> None:
        try:
            self._run(clear_late(self._stack, clearing, self._stack.clock.wall()))
        except Exception as error:  # a strict stack raises the faults of its tiers
            self._queue.postpone(clearing, str(error), refused=False)
            self._stack.faults.report("queue", type(error).__name__, f"A clear failed: {error}")
        if not clearing.levels:
            self._journal([clearing], [])
            self._queue.settle_clear(clearing)

    def _journal(self, done: list[Pending], parked: list[Pending]) -> None:
        """Remove the rows of written changes, and mark those given up."""
        rows = [each.row for each in done if each.row is not None]
        try:
            if rows:
                self._stack.journal().forget(rows)
            for each in parked:
                if each.row is not None:
                    self._stack.journal().park(each.row, each.trouble)
        except JournalError as error:
            # A row that stays is written once more, and yields to newer values.
            self._stack.faults.report("journal", "forget", f"The journal failed: {error.message}")

    def _report_parked(self, each: Pending) -> None:
        where = "" if each.row is None else "; `tiered-cache journal` shows it"
        self._stack.faults.report(
            "journal",
            f"parked:{each.key}",
            f"A queued write of {show_key(each.key)} was given up{where}: {each.trouble}",
        )
        self._stack.events.note(
            Event(EventKind.ERROR, "", each.key, 0.0, 0, f"parked: {each.trouble}")
        )

    def adopt(self) -> None:
        """Queue the changes in dead processes' journals, one journal at a time while there is room."""
        room = self._queue.limits.max_pending - len(self._queue)
        if room <= 0 or self._closed:
            return
        self._adopt_at_s = self._stack.clock.monotonic() + _ADOPT_INTERVAL_S
        self._more_to_adopt = False
        try:
            rows = self._stack.journal().adopt(self._stack.record_tiers, room)
            self._replay(rows)
            self._more_to_adopt = len(rows) >= room
        except JournalError as error:
            self._stack.faults.report("journal", "adopt", error.message)
        if self._more_to_adopt:
            self._adopt_at_s = -math.inf  # as soon as there is room
        if self._queue.held or self._queue.clears:
            self.wake()

    def retry(self, keys: Container[str] | None) -> int:
        """Queue the parked changes of the journal once more; how many."""
        rows = self._stack.journal().take_parked(self._stack.record_tiers, keys)
        self._replay(rows, insists=True)
        self.wake()
        return len(rows)

    def _replay(self, rows: Sequence[JournalRow], *, insists: bool = False) -> None:
        """Queue changes from a journal; they yield to later writes."""
        queued = [each for row in rows if (each := self._queue_row(row, insists)) is not None]
        size = self._queue.limits.max_batch
        for start in range(0, len(queued), size):
            batch = queued[start : start + size]
            try:
                self._run(compare(self._stack, batch, self._stack.clock.wall()))
            except Exception as error:  # a strict stack raises the faults of its tiers
                self._stack.faults.report(
                    "queue",
                    type(error).__name__,
                    f"Journaled writes can't be compared with the tiers: {error}",
                )
            finally:
                for each in batch:
                    each.unread = False

    def _queue_row(self, row: JournalRow, insists: bool) -> Pending | None:
        """Queue one change; it, if it is of a key and the latest that this process knows."""
        # Slowest first, and all of them: the journal does not know which tiers it had reached.
        levels = [each for each in reversed(self._stack.levels) if each.name in row.tiers]
        indexes = tuple([each.index for each in levels])
        if row.clears:
            for level in levels:
                level.outdated.add_all(row.as_of_s)
            self._queue.put_clear(Pending(row.key, None, row.as_of_s, indexes, row=row))
            return None
        entry = None
        if row.record is not None:
            try:
                entry = self._stack.codec.decode(row.key, row.record)
            except RecordError as error:
                self._stack.journal().park(row, error.message)
                return None
        records = None if entry is None else EntryRecords(self._stack.encoder, row.key, entry)
        if records is not None:
            records.settle(levels)
        found = Pending(
            row.key,
            entry,
            row.as_of_s,
            indexes,
            records=records,
            row=row,
            insists=insists,
            unread=True,
        )
        return found if self._queue.put(found, replayed=True) else None

    def finish(self, timeout_s: float) -> list[str]:
        """Flush everything; the keys that were not in time."""
        if not self._queue.held and not self._queue.clears:
            return []
        self.wake()
        left = self._queue.drain(timeout_s)
        if left:
            waiting = [*self._queue.held.values(), *self._queue.clears.values()]
            kept = sum(each.row is not None for each in waiting)
            _log.error(
                "%d queued writes did not reach every tier within %g s; %d of them are in the journal, "
                "for the next process. The first: %s",
                len(left),
                timeout_s,
                kept,
                ", ".join(show_key(key) for key in left[:3]),
            )
        return left

    def _finish_at_exit(self) -> None:
        self.finish(_EXIT_TIMEOUT_S)

    def close(self) -> None:
        """Stop flushing. Changes that still wait are lost, unless they are in the journal."""
        self._closed = True
        self._queue.forget_all()
