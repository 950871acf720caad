"""Counting how often something was seen of late, in bounded memory."""

from __future__ import annotations

__all__ = ["RecentCounts"]


class RecentCounts:
    """How often each of the last keys was seen, about.

    Two generations of counts: when the younger one holds half of `max_keys`, it becomes the older
    one and what that held is forgotten. So a key is remembered for between a half and all of
    `max_keys` different ones. Of a key only its hash is kept; two keys that share it, one pair in
    2**60 or so, share their count.

    Several threads may count at once; counts of the same key at the same instant may come out one
    too low.

    Args:
        max_keys: How many keys are remembered at most.
    """

    def __init__(self, max_keys: int) -> None:
        self._half = max(1, max_keys // 2)
        self._younger: dict[int, int] = {}
        self._older: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._younger) + len(self._older)

    def see(self, key: object) -> int:
        """Count `key` once more; how often it was seen, this time included. O(1)."""
        name = hash(key)
        younger = self._younger
        count = younger.get(name, 0) or self._older.get(name, 0)
        younger[name] = count = count + 1
        if len(younger) >= self._half:
            self._older, self._younger = younger, {}
        return count

    def forget(self, key: object) -> None:
        """Begin anew with `key`."""
        self._younger.pop(hash(key), None)
        self._older.pop(hash(key), None)
