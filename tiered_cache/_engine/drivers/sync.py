"""The synchronous driver: performs every effect in the calling thread."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

from tiered_cache._engine.drivers.tiers import ROOM_WAIT_S, TierDriver
from tiered_cache._engine.effects import (
    OK,
    AcquireLease,
    AwaitFlight,
    AwaitLease,
    AwaitRoom,
    AwaitWritten,
    CatchUp,
    Compute,
    Computed,
    Lead,
    Refresh,
    ReleaseLease,
    Reply,
    WakeFlusher,
)
from tiered_cache._engine.state.flights import leading
from tiered_cache.computation import Computation, under_way

if TYPE_CHECKING:
    from tiered_cache._engine.drivers.background import Background
    from tiered_cache._engine.stack import Stack

__all__ = ["SyncDriver"]


class SyncDriver(TierDriver):
    """Runs any plan on a stack. Thread-safe: it holds no state.

    Args:
        stack: The stack.
        background: The background work.
    """

    def __init__(self, stack: Stack, background: Background) -> None:
        super().__init__(stack)
        self._background = background
        self._performers |= {
            AcquireLease: self._acquire_lease,
            ReleaseLease: self._release_lease,
            Lead: _go_on,
            AwaitFlight: self._await_flight,
            AwaitLease: self._await_lease,
            AwaitRoom: self._await_room,
            AwaitWritten: self._await_written,
            CatchUp: self._catch_up,
            WakeFlusher: self._wake_flusher,
            Refresh: background.refresh,
            Compute: self._compute,
        }

    def _await_room(self, effect: AwaitRoom) -> None:
        if not self._queue.wait_for_room(effect.key, ROOM_WAIT_S, effect.more):
            raise self.no_room(effect)

    def _await_flight(self, effect: AwaitFlight) -> bool:
        over = threading.Event()
        effect.flight.when_over(over.set)
        try:
            return over.wait(None if effect.timeout_s == math.inf else effect.timeout_s)
        finally:
            effect.flight.forget(over.set)

    def _acquire_lease(self, effect: AcquireLease) -> Reply:
        index, key, owner, lifetime_s = effect
        level = self._levels[index]
        leases = level.leases
        if leases is None:
            return self.skipped("the tier has no leases")
        reply = level.call("acquire_lease", key, leases.acquire, key, owner, lifetime_s)
        granted = reply.status == OK and reply.value.granted
        if granted and self._stack.leases.add(owner, level, key, lifetime_s):
            self._background.renew_leases()
        return reply

    def _release_lease(self, effect: ReleaseLease) -> None:
        level = self._levels[effect.level]
        self._stack.leases.drop(effect.owner)
        if level.leases is not None:
            level.call("release_lease", effect.key, level.leases.release, effect.key, effect.owner)

    def _await_lease(self, effect: AwaitLease) -> Reply:
        index, key, seen, timeout_s = effect
        level = self._levels[index]
        if level.leases is None:
            return self.skipped("the tier has no leases")
        return level.call("await_lease", key, level.leases.wait, key, seen, timeout_s)

    def _catch_up(self, _: CatchUp) -> int:
        return self._background.catch_up()

    def _wake_flusher(self, _: WakeFlusher) -> None:
        self._background.wake_flusher()

    def _await_written(self, effect: AwaitWritten) -> None:
        self._queue.wait_until_written(effect.prefix, ROOM_WAIT_S)

    def _compute(self, effect: Compute) -> Computed:
        # In place: an interruption comes where a function begins.
        computation = Computation()
        token = under_way.set(computation)
        led = leading.set((*leading.get(), *effect.flights))
        began = (self._clock.wall(), time.perf_counter())
        try:
            result = effect.function()
        except BaseException as error:
            raise self.failed(effect, began[1], error) from None
        finally:
            leading.reset(led)
            under_way.reset(token)
        return self.done(effect, result, began, computation)


def _go_on(_: Lead) -> None:
    """A thread is never cancelled."""
