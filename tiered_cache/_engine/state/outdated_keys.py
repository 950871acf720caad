"""Keys of which a tier may hold an outdated value, because a write or deletion there failed."""

from __future__ import annotations

from tiered_cache._process.fork import fork_safe_lock

__all__ = ["Suspects"]

_MAX_KEYS = 100_000


class Suspects:
    """What must not be believed of a tier until it has been deleted there.

    While a tier is away, changes go past it. When it is back, what it holds for the changed keys
    is older than what callers were told: such a key is deleted before it is read again.

    Bounded: past 100,000 keys they are replaced by one instant, before which no record of the
    tier is believed. Thread-safe. It ends with the process.
    """

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self.keys: dict[str, int] = {}
        """The suspected keys: for `in`, which every lookup asks of every tier."""
        self._serial = 0
        self.not_before_s = float("-inf")

    def add(self, key: str, now_s: float) -> None:
        """Suspect `key`; `now_s` is the wall clock's time."""
        with self._lock:
            self._serial += 1
            self.keys[key] = self._serial
            if len(self.keys) > _MAX_KEYS:
                self._suspect_all(now_s)

    def add_all(self, now_s: float) -> None:
        """Suspect every record that was written up to now."""
        with self._lock:
            self._suspect_all(now_s)

    def _suspect_all(self, now_s: float) -> None:
        self.keys.clear()
        self.not_before_s = max(self.not_before_s, now_s)

    def ticket(self, key: str) -> int | None:
        """What to hand to `clear` after the key was deleted; `None` where it is not suspected."""
        return self.keys.get(key)

    def clear(self, key: str, ticket: int) -> None:
        """Believe the tier again, unless the key was suspected once more meanwhile."""
        with self._lock:
            if self.keys.get(key) == ticket:
                self.keys.pop(key, None)
