"""Shorter lifetimes for results that say that there is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache_policies.quantities import Duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache_policies.contracts import NewValue

__all__ = ["Negative"]


def _is_nothing(value: Any) -> bool:
    return value is None or (
        isinstance(value, str | bytes | list | tuple | dict | set) and not value
    )


class Negative:
    """The expiry policy that keeps negative results for a shorter time.

    What was not found may come into being at any time; what was found seldom goes.

    Args:
        ttl: The longest lifetime of a negative result.
        when: Which values are negative; by default `None` and what is empty.

    Raises:
        ValueError: `ttl` is not a duration above zero.

    It has no state, so any number of threads and caches may share one.
    """

    def __init__(self, ttl: Duration = "1m", *, when: Callable[[Any], bool] = _is_nothing) -> None:
        self.ttl_s = parse_duration(ttl, name="ttl")
        if self.ttl_s == 0:
            msg = f"ttl={ttl!r} of negative results must be above zero"
            raise ValueError(msg)
        if not callable(when):
            msg = f"when={when!r} must be a function that says of a value whether it is negative"
            raise ValueError(msg)
        self._when = when

    def lifetime_s(self, new: NewValue) -> float:
        """The lifetime, at most `ttl` for a negative result."""
        return min(new.lifetime_s, self.ttl_s) if self._when(new.value) else new.lifetime_s
