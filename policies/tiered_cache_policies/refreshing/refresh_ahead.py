"""Refresh once a fraction of the lifetime is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache_policies.contracts import HitAction
from tiered_cache_policies.option_checks import part

if TYPE_CHECKING:
    from tiered_cache_policies.contracts import Hit

__all__ = ["RefreshAhead"]


class RefreshAhead:
    """The refresh policy that recomputes a value at the first hit in the last part of its lifetime.

    A value in use never expires; a value without hits does.

    Args:
        fraction: The part of the lifetime after which a hit refreshes, above 0.0 and below 1.0.

    Raises:
        ValueError: `fraction` is out of its range.

    Stateless: threads and caches may share one.
    """

    def __init__(self, fraction: float = 0.8) -> None:
        self.fraction: float = part(fraction, "fraction")

    def window_s(self, lifetime_s: float, cost_s: float) -> float:
        """The last part of the lifetime."""
        return lifetime_s * (1.0 - self.fraction)

    def on_hit(self, hit: Hit) -> HitAction:
        """Refresh in the last part of the lifetime."""
        over = hit.age_s >= self.fraction * (hit.age_s + hit.remaining_s)
        return HitAction(refresh=over)
