"""Following the change logs of shared tiers, to drop copies above them (laws 4 and 5)."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import OK
from tiered_cache._engine.plans.forget import forget
from tiered_cache._engine.state.breaker import BreakerState
from tiered_cache._engine.state.key_locks import release_all
from tiered_cache._engine.state.log_positions import IDLE_S
from tiered_cache.errors import TierUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.effects import Plan
    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache._engine.state.log_positions import LogPosition
    from tiered_cache.contracts import ChangeLog, ChangePage, Places

__all__ = ["ChangeFollower"]

_ROUNDS = 4
"""Readings of a log within the bound, while nothing happens: so that a few may fail."""

_TURN_S = 5.0
_FIRST_TRUST_S = 0.1
_COALESCE_S = 0.002
"""Seconds for which changes are gathered before they are applied."""


class ChangeFollower:
    """Reads the change logs of a stack, and drops the copies that others outdated.

    A lookup asks `LogPositions.doubted` first. A log that was not read within the bound is then read
    at once. A daemon thread for each log, started when that first happens, makes it rare and has
    changes arrive at once; it ends when the cache is idle. Thread-safe; a forked child goes on by
    itself.

    Args:
        stack: The stack.
        run: Runs a plan.
    """

    def __init__(self, stack: Stack, run: Callable[[Plan[Any]], Any]) -> None:
        self._stack = stack
        self._run = run
        self._logs = stack.logs
        self._locks = stack.locks
        self._monotonic = stack.clock.monotonic
        self._bound_s = stack.logs.bound_s
        self._closed = False

    def start(self) -> None:
        """Find the ends of the logs, before any value is put into a tier."""
        for each in self._logs.all:
            if self._catch_up(each):
                # A cache that lives no longer than this needs no thread.
                first_s = min(self._bound_s, _FIRST_TRUST_S)
                each.trusted_until_s += first_s - self._bound_s
            each.is_fresh = False
        self._logs.trust()

    def catch_up(self) -> int:
        """Read the logs that were not read within the bound; how many tiers are still doubted.

        A thread or task in the middle of a change holds locks that this would take: it skips it.
        """
        if not self._locks.is_changing():
            for each in self._logs.all:
                if self._monotonic() >= each.trusted_until_s:
                    self._catch_up(each, if_needed=True)
                    self._watch(each)
        return self._logs.skipped()

    def _level(self, log: LogPosition) -> Level:
        return self._stack.levels[log.level]

    def _change_log(self, log: LogPosition) -> ChangeLog:
        found = self._level(log).log
        assert found is not None  # else the stack has no position for it
        return found

    def _above(self, log: LogPosition) -> Sequence[Level]:
        return self._stack.levels[: log.above]

    def _places(self, log: LogPosition) -> list[tuple[Level, Places]]:
        """The shared tiers above, which remember the position for all their processes."""
        found = [(each, each.offers.places) for each in self._above(log)]
        return [(level, places) for level, places in found if places is not None]

    def _catch_up(self, log: LogPosition, *, if_needed: bool = False) -> bool:
        """Apply the changes of a log; whether it was read and applied to its end."""
        if not log.turn.acquire(timeout=_TURN_S):
            return False
        try:
            if if_needed and self._monotonic() < log.trusted_until_s:
                return True  # another thread did
            level, read = self._level(log), self._change_log(log).read
            while True:
                began_s = self._monotonic()
                position = self._position(log)
                reply = level.call("read_changes", None, read, position)
                if reply.status != OK or not self._apply(log, reply.value):
                    return False
                log.position = reply.value.position
                if not reply.value.more:
                    log.read_s = began_s
                    log.trusted_until_s = began_s + self._bound_s
                    self._logs.trust()
                    return True
        finally:
            log.turn.release()

    def _position(self, log: LogPosition) -> int | None:
        """The position to read on from; at first, that of the shared tiers above."""
        places = self._places(log)
        if log.position is None and places:
            read = self._change_log(log).read
            end = self._level(log).call("read_changes", None, read, None)
            if end.status != OK:
                return None
            found = [self._begin(log, *each, end.value.position) for each in places]
            known = [each for each in found if each is not None]
            log.position = min(known) if len(known) == len(found) else None
            log.placed = log.position
        return log.position

    def _begin(self, log: LogPosition, level: Level, places: Places, position: int) -> int | None:
        """The position of a shared tier. An empty one that has none yet is at the end."""
        source = self._change_log(log).source
        place: int | None = level.call("place", None, places.begin_place, source, position).value
        return place

    def _is_past(self, log: LogPosition, level: Level, position: int) -> bool:
        places = level.offers.places
        if places is None:
            return False
        source = self._change_log(log).source
        place: int | None = level.call("place", None, places.place_in, source).value
        return place is not None and place >= position

    def _set_places(self, log: LogPosition, position: int) -> bool:
        done = True
        source = self._change_log(log).source
        for level, places in self._places(log):
            done &= level.call("place", None, places.set_place, source, position).status == OK
        log.placed = position
        return done

    def _apply(self, log: LogPosition, page: ChangePage) -> bool:
        """Drop the copies that a page of a log outdates; whether every tier did."""
        stack = self._stack
        foreign = [each for each in page.changes if each.origin != stack.origin]
        keys = list(dict.fromkeys([each.key for each in foreign if not each.is_prefix]))
        prefixes = list(dict.fromkeys([each.key for each in foreign if each.is_prefix]))
        if not page.complete and (not log.is_fresh or self._places(log)):
            prefixes = [""]
        if not keys and not prefixes:
            return True
        # A tier that several processes share is cleaned by one of them.
        above = [
            level
            for level in reversed(self._above(log))
            if not self._is_past(log, level, page.position)
        ]
        # A change of ours under way could otherwise leave an overtaken value in a faster tier.
        held = self._locks.hold(keys, all_keys=bool(prefixes))
        if held is None:
            return False
        try:
            dropped = self._run(forget(stack, above, keys, prefixes))
        finally:
            release_all(held)
        if dropped and not page.complete:
            self._report_gap(log, dropped)
        made_s = foreign[-1].made_s if foreign else None
        if dropped is not None and made_s is not None:
            log.delay_s = max(0.0, stack.clock.wall() - made_s)
        return dropped is not None and self._set_places(log, page.position)

    def _report_gap(self, log: LogPosition, dropped: int) -> None:
        name = self._level(log).name
        self._stack.faults.report(
            name,
            "log",
            f"The change log of tier {name!r} does not reach back far enough: {dropped} copies in "
            "the tiers above it were dropped",
        )

    def _watch(self, log: LogPosition) -> None:
        with log.turn:
            if log.is_watched or self._closed:
                return
            log.is_watched = True
        name = f"tiered-cache-follower-{self._level(log).name}"
        threading.Thread(target=self._work, args=(log,), name=name, daemon=True).start()

    def _work(self, log: LogPosition) -> None:
        """Apply changes as they come, until the cache has been idle for a while."""
        used_s = self._monotonic()
        while not self._closed:
            if self._logs.is_used:
                self._logs.is_used = False
                used_s = self._monotonic()
            elif self._monotonic() - used_s > IDLE_S:
                break
            heard = _succeeds(self._await_change, log)
            time.sleep(_COALESCE_S if heard else self._bound_s / _ROUNDS)
            if not self._closed:
                _succeeds(self._catch_up, log)
                self._stack.events.emit()
        log.is_watched = False

    def _await_change(self, log: LogPosition) -> bool:
        """Wait for a change, for a part of the bound; whether the log could be asked."""
        level = self._level(log)
        # An open breaker lets one call through as a probe: that must not be one that waits.
        if log.position is None or level.breaker.state is not BreakerState.CLOSED:
            return False
        wait, round_s = self._change_log(log).wait, self._bound_s / _ROUNDS
        return level.call("await_change", None, wait, log.position, round_s).status == OK

    def close(self) -> None:
        """Stop following. The position is saved, so that the next process need not read it again."""
        self._closed = True
        for each in self._logs.all:
            places = self._places(each)
            if places and _succeeds(self._catch_up, each) and each.position != each.placed:
                _succeeds(lambda log: self._set_places(log, log.position or 0), each)


def _succeeds(step: Callable[[LogPosition], bool], log: LogPosition) -> bool:
    """Whether a step succeeded. `strict` concerns callers: background work never raises."""
    try:
        return step(log)
    except TierUnavailableError:
        return False
