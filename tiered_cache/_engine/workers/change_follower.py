"""Keeping tiers up with what others changed in the shared tiers below them (laws 4 and 5)."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Any

from tiered_cache._engine.effects import OK, Clear, DeleteMany, Plan
from tiered_cache._engine.state.breaker import BreakerState
from tiered_cache._process.fork import call_in_child
from tiered_cache.contracts.change_log import Lag, LoggedTier, PlaceTier
from tiered_cache.errors import TierUnavailableError
from tiered_cache.keys import TAG_PREFIX
from tiered_cache.options import WhenCut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tiered_cache._engine.level import Level
    from tiered_cache._engine.stack import Stack
    from tiered_cache.contracts.change_log import ChangeLog, ChangePage

__all__ = ["Following"]

_ROUNDS = 4
"""How often a log is read within the bound, if nothing happens: so that a few may fail."""

_TURN_S = 5.0
_FIRST_TRUST_S = 0.1
_COALESCE_S = 0.002
"""How long changes are gathered before they are applied."""

_IDLE_S = 30.0
"""How long after the last lookup a thread ends; the next one, later than the bound, starts another."""


class _Followed:
    """One log, and the tiers above it that hold copies.

    Attributes:
        level: Whose log it is.
        above: The tiers with copies: the first ones of the stack.
        position: Up to where it was applied; `None` at the beginning.
        placed: What the tiers above that are shared remember of it.
        read_s: When it was last read to its end, by the monotonic clock.
        delay_s: How long the last change by others took to arrive; `None` before the first.
        trusted_until_s: Until when what is above may be served, by the monotonic clock.
        turn: Held by whoever reads on.
        watched: Whether a thread waits for changes.
        fresh: Whether nothing was put into the tiers of this process yet.
    """

    def __init__(self, level: Level, log: ChangeLog, above: Sequence[Level]) -> None:
        self.level = level
        self.log = log
        self.above = above
        self.position: int | None = None
        self.placed: int | None = None
        self.read_s = -math.inf
        self.delay_s: float | None = None
        self.trusted_until_s = -math.inf
        self.turn = threading.Lock()
        self.watched = False
        self.fresh = True

    def places(self) -> list[tuple[Level, PlaceTier]]:
        return [(each, each.tier) for each in self.above if isinstance(each.tier, PlaceTier)]


class Following:
    """Reads the logs of the shared tiers of a stack, and drops what others changed above them.

    A lookup asks `doubted` first. Where a log was not read within the bound, it is read there and
    then; a daemon thread for each log, started when that first happens, sees to it that it seldom
    does, and that changes arrive at once. It ends when it is idle. Thread-safe; a forked child goes on by itself.

    Args:
        stack: The stack.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._monotonic = stack.clock.monotonic
        self._bound_s = stack.options.coherence.bound_s
        self._serves = stack.options.coherence.when_cut is WhenCut.SERVE
        self._closed = False
        self._logs: list[_Followed] = []
        self._unheard = False
        self._used = False
        self._trusted_until_s = math.inf
        for level in stack.levels:
            above = [each for each in stack.levels if each.tier.reach < level.tier.reach]
            if not above:
                continue
            if isinstance(level.tier, LoggedTier):
                self._logs.append(_Followed(level, level.tier.log, above))
            else:
                self._unheard = True
        self._trust()
        self.run: Callable[[Plan[Any]], Any] = lambda _: None
        call_in_child(self._start_over)

    def start(self, run: Callable[[Plan[Any]], Any]) -> None:
        """Find out where the logs end, before anything is put into a tier; plans are run by `run`."""
        self.run = run
        for each in self._logs:
            if self._catch_up(each):
                # What lives no longer than this needs no thread.
                first_s = min(self._bound_s, _FIRST_TRUST_S)
                each.trusted_until_s += first_s - self._bound_s
            each.fresh = False
        self._trust()

    def _start_over(self) -> None:
        for each in self._logs:
            each.turn = threading.Lock()
            each.watched = False

    @property
    def bound_s(self) -> float:
        """The longest that a value is served which was changed elsewhere."""
        if self._unheard or (self._logs and self._serves):
            return max([level.longest_s for level in self._stack.levels[:-1]])
        return self._bound_s if self._logs else 0.0

    def lag(self, level: Level) -> Lag | None:
        """How far it is with the log of a tier; `None` for a tier whose log it does not follow."""
        for each in self._logs:
            if each.level is level:
                behind_s = self._monotonic() - each.read_s
                return Lag(
                    position="" if each.position is None else str(each.position),
                    behind_s=None if behind_s == math.inf else behind_s,
                    delay_s=each.delay_s,
                )
        return None

    def trusted_until(self) -> float:
        """Until when hits of the first tier need not ask, by the monotonic clock."""
        if self._serves and self._logs:
            # They are served whatever the answer, but a cache of which no hit asks counts as idle.
            return self._monotonic() + _IDLE_S / 2
        return self._trusted_until_s

    def doubted(self) -> int:
        """How many of the tiers, from the first, may hold what others changed too long ago."""
        self._used = True
        now_s = self._monotonic()
        if now_s < self._trusted_until_s:
            return 0
        return max(
            [len(each.above) for each in self._logs if now_s >= each.trusted_until_s], default=0
        )

    def catch_up(self) -> int:
        """Read the logs that were not read within the bound; how many tiers are doubted still.

        A thread or task that changes something holds locks that this would take: it goes on without.
        """
        if not self._stack.changes_here():
            for each in self._logs:
                if self._monotonic() >= each.trusted_until_s:
                    self._catch_up(each, if_needed=True)
                    self._watch(each)
        return 0 if self._serves else self.doubted()

    def _catch_up(self, followed: _Followed, *, if_needed: bool = False) -> bool:
        """Apply what a log has; whether it could be read and applied to its end."""
        if not followed.turn.acquire(timeout=_TURN_S):
            return False
        try:
            if if_needed and self._monotonic() < followed.trusted_until_s:
                return True  # another thread did
            while True:
                began_s = self._monotonic()
                position = self._position(followed)
                read = followed.log.read
                reply = followed.level.call("read_changes", None, read, position)
                if reply.status != OK or not self._apply(followed, reply.value):
                    return False
                followed.position = reply.value.position
                if not reply.value.more:
                    followed.read_s = began_s
                    followed.trusted_until_s = began_s + self._bound_s
                    self._trust()
                    return True
        finally:
            followed.turn.release()

    def _trust(self) -> None:
        # Of two that come at once, the later one sees what the other one wrote.
        self._trusted_until_s = min([each.trusted_until_s for each in self._logs], default=math.inf)

    def _position(self, followed: _Followed) -> int | None:
        """Where to read on; at the beginning, where the shared tiers above are."""
        if followed.position is None and followed.places():
            end = followed.level.call("read_changes", None, followed.log.read, None)
            if end.status != OK:
                return None
            found = [self._begin(followed, *each, end.value.position) for each in followed.places()]
            known = [each for each in found if each is not None]
            followed.position = min(known) if len(known) == len(found) else None
            followed.placed = followed.position
        return followed.position

    def _begin(
        self, followed: _Followed, level: Level, tier: PlaceTier, position: int
    ) -> int | None:
        """Where a shared tier is. One that is empty, and that nobody else has placed, is at the end."""
        source = followed.log.source
        place: int | None = level.call("place", None, tier.begin_place, source, position).value
        return place

    def _place(self, followed: _Followed, level: Level, tier: PlaceTier) -> int | None:
        place: int | None = level.call("place", None, tier.place_in, followed.log.source).value
        return place

    def _apply(self, followed: _Followed, page: ChangePage) -> bool:
        stack = self._stack
        origin = stack.origin
        foreign = [each for each in page.changes if each.origin != origin]
        keys = list(dict.fromkeys([each.key for each in foreign if not each.is_prefix]))
        prefixes = list(dict.fromkeys([each.key for each in foreign if each.is_prefix]))
        if not page.complete and (not followed.fresh or followed.places()):
            prefixes = [""]
        if not keys and not prefixes:
            return True
        # Of a tier that several processes share, one has to apply it.
        above = [
            level
            for level in reversed(followed.above)
            if not self._is_past(followed, level, page.position)
        ]
        # A change of ours that is under way could else leave what it overtook in a faster tier.
        held = stack.hold(keys, all_keys=bool(prefixes))
        if held is None:
            return False
        try:
            forgotten = self.run(_forget(stack, above, keys, prefixes))
        finally:
            stack.let_go(held)
        if forgotten and not page.complete:
            stack.faults.report(
                followed.level.name,
                "log",
                f"What others changed in tier {followed.level.name!r} is not known far enough "
                f"back: {forgotten} copies in the tiers above it were dropped",
            )
        made_s = foreign[-1].made_s if foreign else None
        if forgotten is not None and made_s is not None:
            followed.delay_s = max(0.0, stack.clock.wall() - made_s)
        return forgotten is not None and self._set_places(followed, page.position)

    def _is_past(self, followed: _Followed, level: Level, position: int) -> bool:
        if not isinstance(level.tier, PlaceTier):
            return False
        place = self._place(followed, level, level.tier)
        return place is not None and place >= position

    def _set_places(self, followed: _Followed, position: int) -> bool:
        done = True
        for level, tier in followed.places():
            source = followed.log.source
            done &= level.call("place", None, tier.set_place, source, position).status == OK
        followed.placed = position
        return done

    def _watch(self, followed: _Followed) -> None:
        with followed.turn:
            if followed.watched or self._closed:
                return
            followed.watched = True
        name = f"tiered-cache-follower-{followed.level.name}"
        threading.Thread(target=self._work, args=(followed,), name=name, daemon=True).start()

    def _work(self, followed: _Followed) -> None:
        """Apply changes as they come, until nobody has looked anything up for a while."""
        used_s = self._monotonic()
        while not self._closed:
            if self._used:
                self._used = False
                used_s = self._monotonic()
            elif self._monotonic() - used_s > _IDLE_S:
                break
            heard = _quietly(self._await_change, followed)
            time.sleep(_COALESCE_S if heard else self._bound_s / _ROUNDS)
            if not self._closed:
                _quietly(self._catch_up, followed)
                self._stack.tell()
        followed.watched = False

    def _await_change(self, followed: _Followed) -> bool:
        """Wait until a log goes on, for a part of the bound; whether it could be asked."""
        # A breaker lets one call through to see whether the tier is back: not one that waits.
        if followed.position is None or followed.level.breaker.state is not BreakerState.CLOSED:
            return False
        wait, call = followed.log.wait, followed.level.call
        round_s = self._bound_s / _ROUNDS
        return call("await_change", None, wait, followed.position, round_s).status == OK

    def close(self) -> None:
        """Follow no longer; what is on disk need not be caught up with once more."""
        self._closed = True
        for each in self._logs:
            if each.places() and _quietly(self._catch_up, each) and each.position != each.placed:
                _quietly(lambda it: self._set_places(it, it.position or 0), each)


def _quietly(step: Callable[[_Followed], bool], followed: _Followed) -> bool:
    """Whether a step went well. What a strict stack raises is for who asks it something: nobody does here."""
    try:
        return step(followed)
    except TierUnavailableError:
        return False


def _forget(
    stack: Stack, levels: Sequence[Level], keys: Sequence[str], prefixes: Sequence[str]
) -> Plan[int | None]:
    """Drop what others changed, slowest tier first; how much, or `None` where a tier failed to."""
    count = 0
    failed = False
    if prefixes:
        stack.epoch += 1
    for level in levels:
        effects: list[Clear | DeleteMany] = [Clear(level.index, prefix) for prefix in prefixes]
        if keys:
            effects.append(DeleteMany(level.index, keys))
        for effect in effects:
            reply = yield effect
            failed = failed or reply.status != OK
            count += reply.value or 0
    if prefixes:
        stack.epoch += 1
    if any(key.startswith(TAG_PREFIX) for key in keys):
        prefixes = [""]  # which computations have that tag is not known
    for prefix in prefixes:
        stack.flights.detach_all(prefix)
    stack.flights.detach(keys)
    return None if failed else count
