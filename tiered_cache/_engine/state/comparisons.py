"""The comparisons of copies with a shared tier that keeps no change log."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING

from tiered_cache._process.fork import fork_safe_lock
from tiered_cache.contracts import TOKEN_BYTES, Absent, deleted_at, is_tombstone
from tiered_cache.entry import as_of_us, vouched_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.contracts import Found
    from tiered_cache.entry import Entry

__all__ = ["Comparisons", "is_current"]

_MAX_KEYS = 50_000


class Comparisons:
    """The instants at which copies were last compared, by key.

    Bounded: of more than 50,000 keys the oldest are forgotten, and compared again. Thread-safe.

    Args:
        bound_s: The longest that a copy is served without a comparison.
        monotonic: The clock.
    """

    def __init__(self, bound_s: float, monotonic: Callable[[], float]) -> None:
        self._bound_s = bound_s
        self.monotonic = monotonic
        self._lock = fork_safe_lock()
        self._seen: OrderedDict[str, tuple[bytes | int, float]] = OrderedDict()

    def note(self, key: str, entry: Entry, seen_s: float) -> None:
        """Note that a copy was current at a monotonic instant after `seen_s`."""
        identity = _identity(entry)
        with self._lock:
            known = self._seen.pop(key, None)
            if known is not None and known[0] == identity:
                seen_s = max(seen_s, known[1])
            self._seen[key] = (identity, seen_s)
            if len(self._seen) > _MAX_KEYS:
                self._seen.popitem(last=False)

    def trusted_until(self, key: str, entry: Entry) -> float:
        """The monotonic instant up to which a copy may be served without a comparison."""
        known = self._seen.get(key)
        if known is None or known[0] != _identity(entry):
            return -math.inf
        return known[1] + self._bound_s


def is_current(entry: Entry, found: Found[bytes] | Absent) -> bool:
    """Whether a copy is current, given the answer of the shared tier.

    It is if the tier holds the record of the copy, or a voucher for its value (`removal.withhold`).
    Any later change replaces either.

    Args:
        entry: The copy.
        found: The answer. The head of a record suffices.
    """
    if isinstance(found, Absent):
        return vouched_for(found.deleted_s) == as_of_us(entry)
    if is_tombstone(found.item):  # of a tier that does not tell them from records
        return vouched_for(deleted_at(found.item)) == as_of_us(entry)
    return bool(entry.head) and found.item[:TOKEN_BYTES] == entry.head


def _identity(entry: Entry) -> bytes | int:
    return entry.head or as_of_us(entry)
