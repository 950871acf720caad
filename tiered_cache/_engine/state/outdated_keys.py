"""Keys of which a tier may hold an outdated value, because a write or deletion there failed."""

from __future__ import annotations

from tiered_cache._process.fork import fork_safe_lock

__all__ = ["OutdatedKeys"]

_MAX_KEYS = 100_000


class OutdatedKeys:
    """The keys of one tier that must be deleted there before they are read again.

    While a tier is away, changes bypass it. Its copies of the changed keys are then older than the
    answers that callers got.

    Bounded: beyond 100,000 keys they are replaced by one instant, and no older record of the tier
    is served. Thread-safe. The marks end with the process.
    """

    def __init__(self) -> None:
        self._lock = fork_safe_lock()
        self.keys: dict[str, int] = {}
        """The outdated keys, for `in`: every lookup asks every tier."""
        self._serial = 0
        self.not_before_s = float("-inf")
        """The wall-clock instant up to which every record of the tier is outdated."""

    def add(self, key: str, now_s: float) -> None:
        """Mark `key`; `now_s` is wall-clock time."""
        with self._lock:
            self._serial += 1
            self.keys[key] = self._serial
            if len(self.keys) > _MAX_KEYS:
                self._mark_all(now_s)

    def add_all(self, now_s: float) -> None:
        """Mark every record that was written up to `now_s`."""
        with self._lock:
            self._mark_all(now_s)

    def _mark_all(self, now_s: float) -> None:
        self.keys.clear()
        self.not_before_s = max(self.not_before_s, now_s)

    def ticket(self, key: str) -> int | None:
        """The mark of `key`, which `clear` takes after the deletion. `None` if it is not marked."""
        return self.keys.get(key)

    def clear(self, key: str, ticket: int) -> None:
        """Remove the mark, unless the key was marked again meanwhile."""
        with self._lock:
            if self.keys.get(key) == ticket:
                self.keys.pop(key, None)
