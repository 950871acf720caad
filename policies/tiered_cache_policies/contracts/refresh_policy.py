"""The contract of refresh policies."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

__all__ = ["Hit", "HitAction", "RefreshPolicy"]


class Hit(NamedTuple):
    """A hit on a fresh value that the cache can compute again.

    Attributes:
        key: The key.
        age_s: Seconds since the value was written.
        remaining_s: Seconds until the end of its freshness.
        cost_s: The seconds that computing it took, 0.0 if they were not measured.
    """

    key: str
    age_s: float
    remaining_s: float
    cost_s: float


class HitAction(NamedTuple):
    """The consequence of a hit, besides the value that is served.

    Attributes:
        refresh: Whether the value is recomputed in the background.
        renew_s: If more than 0.0, the seconds for which the value is fresh from now on.
    """

    refresh: bool = False
    renew_s: float = 0.0


@runtime_checkable
class RefreshPolicy(Protocol):
    """Decides the consequence of a hit for the freshness of its value.

    The engine guarantees: it calls `on_hit` for hits of `get_or_compute` and of cached functions,
    on values with a limit, and only within the window. The implementer must answer from the
    arguments and from state of its own, which several threads may use at once; it must be quick and
    must not raise.
    """

    def window_s(self, lifetime_s: float, cost_s: float) -> float:
        """The seconds before a value's end in which the policy sees hits.

        Outside the window a hit in memory costs nothing for this policy.

        Args:
            lifetime_s: Seconds from the writing of the value to the end of its freshness.
            cost_s: The seconds that computing it took, 0.0 if they were not measured.
        """
        ...

    def on_hit(self, hit: Hit) -> HitAction:
        """The consequence of `hit`."""
        ...
