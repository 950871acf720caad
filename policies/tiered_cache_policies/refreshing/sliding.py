"""Lifetimes that restart with use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.contracts import HitAction
from tiered_cache_policies.quantities import Duration, parse_duration

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import Hit

__all__ = ["Sliding"]

_KEPT = 0.875


class Sliding:
    """The refresh policy that restarts the lifetime of a value when it is used.

    A value expires when it was not used for `ttl`, or up to an eighth earlier. A renewal is a write
    to every tier, so a hit within an eighth of `ttl` after the last renewal makes none. The value is
    not recomputed, so use this for values that don't change. Give the cache the same `default_ttl`.

    Args:
        ttl: How long a value stays without use.

    Raises:
        ValueError: `ttl` is not a duration above zero.

    Stateless: threads and caches may share one.
    """

    def __init__(self, ttl: Duration) -> None:
        self.ttl_s: float = parse_duration(ttl, name="ttl")
        if self.ttl_s == 0:
            msg = f"ttl={ttl!r} must be above zero"
            raise ValueError(msg)

    def window_s(self, lifetime_s: float, cost_s: float) -> float:
        """All but the first eighth of the lifetime."""
        return self.ttl_s * _KEPT

    def on_hit(self, hit: Hit) -> HitAction:
        """Renew, unless the last renewal is less than an eighth of `ttl` ago."""
        return HitAction(renew_s=self.ttl_s if hit.remaining_s <= self.ttl_s * _KEPT else 0.0)
