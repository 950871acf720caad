"""Single entries for the page: searches keys, explains and deletes an entry, invalidates tags."""

from __future__ import annotations

import reprlib
import time
from typing import TYPE_CHECKING, Any

from tiered_cache.dashboard.plain_data import attributes, finite
from tiered_cache.results import WriteOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache.cache import TieredCache
    from tiered_cache.results import Explanation, WriteResult

__all__ = ["MAX_FOUND", "SEARCH_S", "EntryBrowser"]

MAX_FOUND = 100
"""Most keys that a search returns."""

SEARCH_S = 3.0
"""Seconds after which a search stops."""

_SHOWN_CHARACTERS = 20_000
_KEYS_PER_CLOCK_READ = 64
_REPR_LIMITS = {
    "maxlevel": 8,
    "maxtuple": 200,
    "maxlist": 200,
    "maxset": 200,
    "maxdict": 200,
    "maxstring": 8000,
    "maxother": 8000,
}


def _bounded_repr() -> reprlib.Repr:
    made = reprlib.Repr()
    for name, limit in _REPR_LIMITS.items():
        setattr(made, name, limit)
    return made


_repr = _bounded_repr()


class EntryBrowser:
    """The entries of a cache as plain data. Thread-safe.

    No method counts as a lookup, or fills a tier.

    Args:
        cache: The cache.
        show_values: Whether `explain` includes the value.
    """

    def __init__(self, cache: TieredCache, *, show_values: bool) -> None:
        self._cache = cache
        self._show_values = show_values

    def search(self, text: str) -> dict[str, Any]:
        """The keys that contain `text`, those that begin with it first.

        Scans the keys of every tier, for at most `SEARCH_S` and `MAX_FOUND` keys.
        """
        ends_s = time.monotonic() + SEARCH_S
        found: dict[str, None] = {}
        looked_at, whole = 0, True
        for key in self._keys(text):
            looked_at += 1
            is_late = looked_at % _KEYS_PER_CLOCK_READ == 0 and time.monotonic() > ends_s
            is_match = text in key and key not in found
            if is_late or (is_match and len(found) >= MAX_FOUND):
                whole = False
                break
            if is_match:
                found[key] = None
        return {"keys": [*found], "looked_at": looked_at, "whole": whole}

    def _keys(self, text: str) -> Iterator[str]:
        """The keys that begin with `text`, which tiers find by index; then all others."""
        if text:
            yield from self._cache.keys(text)
        for key in self._cache.keys(""):
            if not text or not key.startswith(text):
                yield key

    def explain(self, key: str) -> dict[str, Any]:
        """The state of `key` in each tier, its tags and cost; its value if that may be shown."""
        tiers = self._cache.explain(key)
        explained: dict[str, Any] = {
            "key": key,
            "tags": sorted({tag for each in tiers for tag in each.tags}),
            "cost_s": next((each.cost_s for each in tiers if each.cost_s is not None), None),
            "tiers": [_tier(each) for each in tiers],
        }
        if self._show_values:
            explained["value"] = self._value(key)
        return explained

    def _value(self, key: str) -> str | None:
        found = self._cache.peek(key)
        return _repr.repr(found.value)[:_SHOWN_CHARACTERS] if found.found else None

    def delete(self, key: str) -> dict[str, Any]:
        """Delete `key`. Returns whether it was present, and its state afterwards."""
        return {"deleted": self._cache.delete(key), **self.explain(key)}

    def invalidate(self, tag: str) -> dict[str, Any]:
        """Invalidate `tag`. Returns the tiers that failed to record it."""
        return {"missed": _failed_tiers(self._cache.invalidate_tags(tag))}


def _tier(explanation: Explanation) -> dict[str, Any]:
    return {
        **attributes(explanation, ("tier", "present", "age_s", "bytes", "why")),
        "remaining_s": finite(explanation.remaining_s),
    }


def _failed_tiers(result: WriteResult) -> list[str]:
    return [each.tier for each in result.tiers if each.outcome is WriteOutcome.FAILED]
