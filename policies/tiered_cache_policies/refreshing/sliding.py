"""Lifetimes that begin anew with use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.contracts import HitAction
from tiered_cache_policies.quantities import Duration, parse_duration

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import Hit

__all__ = ["Sliding"]

_KEPT = 0.875


class Sliding:
    """The refresh policy that gives a value its lifetime again when it is used.

    A value ends when it was not used for `ttl`, or for up to an eighth less: a renewal is a write
    to every tier, so a hit within an eighth of `ttl` after the last makes none. The value itself
    gets no younger; use it for what does not change. Give the cache the same `default_ttl`.

    Args:
        ttl: How long a value stays without being used.

    Raises:
        ValueError: `ttl` is not a duration above zero.

    It has no state, so any number of threads and caches may share one.
    """

    def __init__(self, ttl: Duration) -> None:
        self.ttl_s = parse_duration(ttl, name="ttl")
        if self.ttl_s == 0:
            msg = f"ttl={ttl!r} must be above zero"
            raise ValueError(msg)

    def window_s(self, lifetime_s: float, cost_s: float) -> float:
        """All but an eighth of the time without use."""
        return self.ttl_s * _KEPT

    def on_hit(self, hit: Hit) -> HitAction:
        """Renew, unless that was done within the last eighth."""
        return HitAction(renew_s=self.ttl_s if hit.remaining_s <= self.ttl_s * _KEPT else 0.0)
