"""The keys that W-TinyLFU would hold."""

from __future__ import annotations

from collections import deque
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

from tiered_cache_policies.eviction._frequency import MOST, Frequency
from tiered_cache_policies.eviction._shadow import Shadow

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TinyLFUShadow"]

K = TypeVar("K")

_VISIT = MOST + 1
"""The amount that a visit adds to the number of a key. The rest, below it, is the counted uses."""


class TinyLFUShadow(Shadow[K]):
    """The keys in the segments of `TinyLFU`; see there for the algorithm.

    No key is removed from the middle of a segment, so a `deque` of keys suffices. The state of a key
    is one number: its counted uses, and `_VISIT` for each visit that is not counted yet.
    """

    held: dict[K, int]

    def __init__(self) -> None:
        super().__init__()
        self.held = {}
        self._window: deque[K] = deque()
        self._probation: deque[K] = deque()
        self._protected: deque[K] = deque()
        self._frequency = Frequency(self.limit, sized=False)

    def resize(self, limit: int) -> None:
        """Hold `limit` keys at most."""
        super().resize(limit)
        self._frequency.resize(limit)

    def replay(self, uses: Sequence[K]) -> list[K]:
        """Replay `uses`."""
        held, frequency = self.held, self._frequency
        window, probation = self._window, self._probation
        frequency.grow_to(min(len(held) + len(uses), self.limit))
        counts, mask = frequency.counts, frequency.mask
        room = self.limit - len(held)
        steady = room >= 0 and self._is_steady()
        left = frequency.due - frequency.uses
        misses = 0
        gone: list[K] = []
        for key in uses:
            if key in held:
                held[key] += _VISIT
                continue
            misses += 1
            while room <= 0:
                # As in _choose, without the call. Mostly neither key was visited, and both parts
                # have their size.
                if (
                    steady
                    and (count := held[loser := window[0]]) < _VISIT
                    and (worth := held[victim := probation[0]]) < _VISIT
                ):
                    window.popleft()
                    if count > worth:
                        probation.popleft()
                        probation.append(loser)
                        loser = victim
                        count = worth
                    left -= 1
                else:
                    loser, count, left = self._choose(left)
                    steady = False
                del held[loser]
                gone.append(loser)
                cell = hash((loser,)) & mask
                if counts[cell] < count:
                    counts[cell] = count
                if left <= 0:
                    counts, left = self._end_period(left)
                    steady = False
                room += 1
            room -= 1
            count = counts[hash((key,)) & mask]
            held[key] = count + 1 if count < MOST else MOST
            window.append(key)
            if not steady:
                steady = self._is_steady()
        frequency.uses = frequency.due - left
        self.misses += misses
        return gone

    def _is_steady(self) -> bool:
        """Whether both parts have a key to compare and neither is too large or too small."""
        return bool(self._probation) and len(self._window) == self._frequency.window_limit

    def _choose(self, left: int) -> tuple[K, int, int]:
        """Remove the loser of the comparison from its segment.

        Args:
            left: The uses that are left in this period.

        Returns:
            The key, its uses, and the uses that are left after this one.
        """
        frequency, window, probation = self._frequency, self._window, self._probation
        frequency.uses = frequency.due - left
        free = frequency.main_limit - len(probation) - len(self._protected)
        while free > 0 and len(window) > max(frequency.window_limit, 1):
            probation.append(window.popleft())
            free -= 1
        segment = self._next_segment()
        if window and (free >= 0 or not segment):
            candidate = window.popleft()
            count = self._reward(candidate)
            if not segment or count <= self.held[segment[0]]:
                return candidate, count, frequency.due - frequency.uses - 1
            probation.append(candidate)
        victim = segment.popleft()
        return victim, self.held[victim], frequency.due - frequency.uses - 1

    def _next_segment(self) -> deque[K]:
        """The segment with the next key to evict from the main part; it has no visit there."""
        probation, protected = self._probation, self._protected
        limit = self._frequency.protected_limit
        while (segment := probation or protected) and self.held[segment[0]] >= _VISIT:
            key = segment.popleft()
            self._reward(key)
            protected.append(key)
            while len(protected) > limit:
                probation.append(protected.popleft())
        return segment

    def _reward(self, key: K) -> int:
        """Count the visits of `key` as uses; return its uses."""
        visits, count = divmod(self.held[key], _VISIT)
        self._frequency.uses += visits
        self._frequency.hits += visits
        self.held[key] = count = min(count + visits, MOST)
        return count

    def _end_period(self, left: int) -> tuple[bytearray, int]:
        """Begin the next period, `left` uses before the end; return its counts and its uses."""
        held, frequency = self.held, self._frequency
        frequency.uses = frequency.due - left
        for key, number in held.items():
            if number >= _VISIT:
                # One visit is left, or a key that is in use would look unused.
                held[key] = number - _VISIT
                held[key] = _VISIT + self._reward(key) // 2
            else:
                held[key] = number // 2
        frequency.end_period(len(held))
        return frequency.counts, frequency.due

    def next_to_go(self, most: int) -> dict[K, int]:
        """The losers of the next comparisons, up to the end of the window."""
        held, window, probation = self.held, self._window, self._probation
        found: list[tuple[K, int]] = []
        if probation and len(window) == self._frequency.window_limit:
            victims = iter(probation)
            victim = next(victims)
            for candidate in islice(window, most):
                lead = held[candidate] - held[victim]
                if lead > 0:
                    found.append((victim, 1))
                    victim = next(victims, candidate)
                else:
                    found.append((candidate, 1 - lead))
            found.reverse()
        return dict(found) or dict.fromkeys(islice(chain(probation, self._protected, window), 1), 1)
