"""Looking into the cache: finding keys, explaining one, deleting it, invalidating its tags."""

from __future__ import annotations

import math
import reprlib
import time
from typing import TYPE_CHECKING, Any

from tiered_cache.results import WriteOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tiered_cache.cache import TieredCache
    from tiered_cache.results import WriteResult

__all__ = ["MAX_FOUND", "SEARCH_S", "Entries"]

MAX_FOUND = 100
"""Keys that a search gives at most."""

SEARCH_S = 3.0
"""Seconds after which a search stops, whatever it has found."""

_SHOWN_CHARACTERS = 20_000
_CLOCK_EVERY = 64
_MOST_SHOWN = {
    "maxlevel": 8,
    "maxtuple": 200,
    "maxlist": 200,
    "maxset": 200,
    "maxdict": 200,
    "maxstring": 8000,
    "maxother": 8000,
}


def _short_repr() -> reprlib.Repr:
    made = reprlib.Repr()
    for name, most in _MOST_SHOWN.items():
        setattr(made, name, most)
    return made


_repr = _short_repr()


class Entries:
    """The entries of a cache as the page shows them: plain data. Thread-safe.

    Args:
        cache: The cache.
        show_values: Whether `explain` says what the value is.
    """

    def __init__(self, cache: TieredCache, *, show_values: bool) -> None:
        self._cache = cache
        self._show_values = show_values

    def search(self, text: str) -> dict[str, Any]:
        """Keys that contain `text`, first those that begin with it.

        Walks over the keys of every tier, for a bounded time.
        """
        ends_s = time.monotonic() + SEARCH_S
        found: dict[str, None] = {}
        looked_at, whole = 0, True
        for key in self._keys(text):
            looked_at += 1
            if looked_at % _CLOCK_EVERY == 0 and time.monotonic() > ends_s:
                whole = False
                break
            if text in key and key not in found:
                if len(found) >= MAX_FOUND:
                    whole = False
                    break
                found[key] = None
        return {"keys": [*found], "looked_at": looked_at, "whole": whole}

    def _keys(self, text: str) -> Iterator[str]:
        """The keys that begin with `text`, which tiers find by themselves, and then all."""
        if text:
            yield from self._cache.keys(text)
        for key in self._cache.keys(""):
            if not text or not key.startswith(text):
                yield key

    def explain(self, key: str) -> dict[str, Any]:
        """What each tier says of `key`, its tags, and its value where that may be seen."""
        tiers = self._cache.explain(key)
        tags = sorted({tag for each in tiers for tag in each.tags})
        said: dict[str, Any] = {
            "key": key,
            "tags": tags,
            "cost_s": next((each.cost_s for each in tiers if each.cost_s is not None), None),
            "tiers": [
                {
                    "tier": each.tier,
                    "present": each.present,
                    "age_s": each.age_s,
                    "remaining_s": _finite(each.remaining_s),
                    "bytes": each.bytes,
                    "why": each.why,
                }
                for each in tiers
            ],
        }
        if self._show_values:
            said["value"] = self._value(key)
        return said

    def _value(self, key: str) -> str | None:
        found = self._cache.peek(key)
        return _repr.repr(found.value)[:_SHOWN_CHARACTERS] if found.found else None

    def delete(self, key: str) -> dict[str, Any]:
        """Delete `key`; whether it was there, and what the tiers say of it now."""
        return {"deleted": self._cache.delete(key), **self.explain(key)}

    def invalidate(self, tag: str) -> dict[str, Any]:
        """Invalidate `tag`; the tiers that could not be told."""
        return {"missed": _missed(self._cache.invalidate_tags(tag))}


def _missed(result: WriteResult) -> list[str]:
    return [each.tier for each in result.tiers if each.outcome is WriteOutcome.FAILED]


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else seconds
