"""The part of a driver that neither waits nor asks a tier."""

from __future__ import annotations

import math
import time
from collections.abc import Callable  # noqa: TC003 - a NamedTuple's field
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache._engine.effects import (
    FAILED,
    OK,
    SKIPPED,
    AcquireLease,
    AwaitRoom,
    Compute,
    Computed,
    ComputeFailedError,
    ReadMany,
    Refresh,
    Reply,
)
from tiered_cache._engine.finding import UNKNOWN
from tiered_cache._engine.level import Level  # noqa: TC001 - a NamedTuple's field
from tiered_cache.contracts import Absent, Found
from tiered_cache.errors import JournalError, QueueFullError
from tiered_cache.events import Event, EventKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache._engine.stack import Stack
    from tiered_cache.computation import Computation
    from tiered_cache.contracts import Journal

__all__ = ["ROOM_WAIT_S", "Background", "BaseDriver", "renewed_if_granted"]

ROOM_WAIT_S = 5.0
"""Seconds that a writer waits for room in the queue: law 8, nothing hangs."""


class Background(NamedTuple):
    """The background work that effects ask for.

    Attributes:
        catch_up: Reads the change logs; returns how many tiers are still doubted.
        renew: Renews a lease, given its owner, level, key and lifetime in seconds.
        wake_flusher: Has the write-back queue flushed.
        refresh: Recomputes values.
    """

    catch_up: Callable[[], int]
    renew: Callable[[str, Level, str, float], None]
    wake_flusher: Callable[[], None]
    refresh: Callable[[Refresh], object]


class BaseDriver:
    """The common part of drivers. Thread-safe: it holds no state of its own."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._queue = stack.queue
        self._held = stack.queue.held
        self._levels = stack.levels
        self._clock = stack.clock

    def skipped(self, reason: str) -> Reply:
        """The reply for a tier that was not asked."""
        return Reply(SKIPPED, None, 0.0, self._clock.wall(), reason)

    def queued(self, key: str, index: int) -> Found | Absent | None:
        """The answer of the write-back queue for a tier that has not got the change of `key` yet.

        `None` where the tier itself has to be asked.
        """
        pending = self._held.get(key)
        if pending is None or pending.unread or index not in pending.levels:
            return None
        # The tier may refuse a fill, when something has changed since: it is no answer yet.
        if pending.tokens is not None:
            return None
        entry = pending.entry
        if entry is None:
            return Absent(UNKNOWN)
        records = pending.records
        item = entry if records is None else records.settled_for(self._levels[index])
        return Found(item, math.inf, UNKNOWN)

    def queued_reply(self, key: str, index: int) -> Reply | None:
        """The reply to a read that the queue answers."""
        answer = self.queued(key, index) if self._held else None
        return None if answer is None else Reply(OK, answer, 0.0, self._clock.wall())

    def queued_replies(self, effect: ReadMany) -> tuple[Reply, Sequence[str]]:
        """The queue's answers to a read, and the keys for which the tier has to be asked."""
        index, keys = effect
        queued: dict[str, Found | Absent] = {}
        if self._held:
            answers = ((key, self.queued(key, index)) for key in keys)
            queued = {key: answer for key, answer in answers if answer is not None}
            keys = [key for key in keys if key not in queued]
        return Reply(OK, queued, 0.0, self._clock.wall()), keys

    def no_room(self, effect: AwaitRoom) -> QueueFullError:
        """The error of a writer for which the queue had no room in time."""
        msg = (
            f"the write-back queue holds {len(self._queue)} keys and took no more for "
            f"{ROOM_WAIT_S:g} s: the slow tiers don't keep up or are away. Try again later, raise "
            "max_pending, or write with durability='remote'"
        )
        return QueueFullError(msg, operation="set", key=effect.key)

    def in_journal(self, action: Callable[[Journal], Any]) -> Reply:
        """The reply to an action on the journal."""
        started = time.perf_counter()
        status, value, reason = OK, None, ""
        try:
            value = action(self._stack.journal())
        except JournalError as error:
            status, reason = FAILED, error.message
            self._stack.faults.report("journal", "write", f"The journal failed: {error.message}")
        return Reply(status, value, time.perf_counter() - started, self._clock.wall(), reason)

    def failed(self, effect: Compute, started: float, error: BaseException) -> ComputeFailedError:
        """Count a computation that raised; the carrier of its exception."""
        self._count(effect.keys, time.perf_counter() - started, failed=True)
        return ComputeFailedError(error)

    def done(
        self,
        effect: Compute,
        result: object,
        began: tuple[float, float],
        computation: Computation,
    ) -> Computed:
        """Count a computation; the reply. To be called as soon as the function has returned.

        Args:
            effect: The effect.
            result: The function's return value.
            began: The instant of the call, by the wall clock and by `perf_counter`.
            computation: The function's own wishes for its result.
        """
        began_s, started = began
        seconds = time.perf_counter() - started
        self._count(effect.keys, seconds, failed=False)
        now_s = self._clock.wall()
        lead_s = max(seconds, now_s - began_s)
        return Computed(result, seconds, now_s, lead_s, len(effect.keys), computation)

    def _count(self, keys: Sequence[str], seconds: float, *, failed: bool) -> None:
        self._stack.count_computed(seconds, failed, keys)
        if self._stack.listeners.active:
            for key in keys:
                detail = "raised" if failed else ""
                event = Event(EventKind.COMPUTE, "", key, seconds / len(keys), 0, detail)
                self._stack.events.note(event)


def renewed_if_granted(
    background: Background, level: Level, effect: AcquireLease, reply: Reply
) -> Reply:
    """The reply to a request for a lease; a granted lease is renewed from now on."""
    if reply.status == OK and reply.value.granted:
        background.renew(effect.owner, level, effect.key, effect.lifetime_s)
    return reply
