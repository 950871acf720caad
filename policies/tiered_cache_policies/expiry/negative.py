"""Shorter lifetimes for negative results."""

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
    """The expiry policy that gives negative results a shorter lifetime.

    An absent thing may appear at any time; a present one seldom disappears.

    Args:
        ttl: The longest lifetime of a negative result.
        when: Whether a value is negative; by default `None` and empty strings and collections are.

    Raises:
        ValueError: `ttl` is not a duration above zero.

    Stateless: threads and caches may share one.
    """

    def __init__(self, ttl: Duration = "1m", *, when: Callable[[Any], bool] = _is_nothing) -> None:
        self.ttl_s: float = parse_duration(ttl, name="ttl")
        if self.ttl_s == 0:
            msg = f"ttl={ttl!r} of negative results must be above zero"
            raise ValueError(msg)
        if not callable(when):
            msg = f"when={when!r} must be a function from a value to whether it is negative"
            raise ValueError(msg)
        self._when = when

    def lifetime_s(self, new: NewValue) -> float:
        """The lifetime, at most `ttl` for a negative result."""
        return min(new.lifetime_s, self.ttl_s) if self._when(new.value) else new.lifetime_s
