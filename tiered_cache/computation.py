"""The computation that is under way, for the function that does it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from tiered_cache.units import Duration, parse_lifetime

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Computation", "current", "under_way"]


class Computation:
    """What a function may say of its result while it computes it.

    It is the calling thread's or task's own. Of nested computations each has one.

    Attributes:
        lifetime_s: The lifetime that was set, `None` if none was.
        tags: The tags that were added.
        skipped: Whether the result is not to be stored.
    """

    __slots__ = ("lifetime_s", "skipped", "tags")

    def __init__(self) -> None:
        self.lifetime_s: float | None = None
        self.tags: frozenset[str] = frozenset()
        self.skipped = False

    def set_ttl(self, ttl: Duration | None) -> None:
        """Store the result under this lifetime, whatever the caller asked for; `None` is no limit.

        Raises:
            InvalidDurationError: It is no lifetime.
        """
        self.lifetime_s = parse_lifetime(ttl)

    def add_tags(self, tags: Iterable[str]) -> None:
        """Store the result under these tags as well."""
        self.tags |= frozenset(tags)

    def skip(self) -> None:
        """Return the result, and don't store it."""
        self.skipped = True


under_way: ContextVar[Computation | None] = ContextVar("tiered_cache_computation", default=None)
"""Set by the driver for as long as it calls a function."""


def current() -> Computation:
    """The computation that the calling function does.

    In a function that is called without a cache, the one that is returned goes nowhere: so a
    function may use it whether it is cached or not.
    """
    return under_way.get() or Computation()
