"""Counts of recent occurrences of keys, in bounded memory."""

from __future__ import annotations

__all__ = ["RecentCounts"]


class RecentCounts:
    """Approximate counts of the most recent keys.

    There are two generations of counts. When the younger one holds half of `max_keys`, it replaces
    the older one. So a key is remembered until between half and all of `max_keys` other keys came.
    Only the hash of a key is kept; two keys with the same hash, about one pair in 2**60, share a
    count.

    Several threads may count at once. Two counts of one key at the same instant may become one.

    Args:
        max_keys: The most keys to remember.
    """

    def __init__(self, max_keys: int) -> None:
        self._half = max(1, max_keys // 2)
        self._younger: dict[int, int] = {}
        self._older: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._younger) + len(self._older)

    def see(self, key: object) -> int:
        """Count `key` once more and return its count. O(1)."""
        name = hash(key)
        younger = self._younger
        count = younger.get(name, 0) or self._older.get(name, 0)
        younger[name] = count = count + 1
        if len(younger) >= self._half:
            self._older, self._younger = younger, {}
        return count

    def forget(self, key: object) -> None:
        """Reset the count of `key` to zero."""
        self._younger.pop(hash(key), None)
        self._older.pop(hash(key), None)
