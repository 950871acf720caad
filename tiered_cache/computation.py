"""The current computation, for the function that computes."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

from tiered_cache.units import Duration, parse_lifetime

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Computation", "current", "under_way"]


class Computation:
    """Options of a result that its function sets while it computes the result.

    Each thread or task has its own, and each of several nested computations has one.

    Attributes:
        lifetime_s: The lifetime that was set, `None` if none was.
        tags: The tags that were added.
        skipped: Whether the result is returned without being stored.
    """

    # Defaults of the class: one is made for each computation, and most never change it.
    lifetime_s: float | None = None
    tags: frozenset[str] = frozenset()
    skipped: bool = False

    if not TYPE_CHECKING:  # a checker would take it for leave to set any attribute

        def __setattr__(self, name: str, value: object) -> None:
            if not hasattr(type(self), name):
                msg = f"a computation has no {name!r}: call set_ttl(), add_tags() or skip()"
                raise AttributeError(msg)
            super().__setattr__(name, value)

    def set_ttl(self, ttl: Duration | None) -> None:
        """Store the result with this lifetime instead of the caller's; `None` is no limit.

        Raises:
            InvalidDurationError: `ttl` is not a lifetime.
        """
        self.lifetime_s = parse_lifetime(ttl)

    def add_tags(self, tags: Iterable[str]) -> None:
        """Store the result under these tags in addition to the caller's."""
        self.tags |= frozenset(tags)

    def skip(self) -> None:
        """Return the result without storing it."""
        self.skipped = True


under_way: ContextVar[Computation | None] = ContextVar("tiered_cache_computation", default=None)
"""Set by the driver during the call of a function."""


def current() -> Computation:
    """The computation of the calling function.

    Outside a cache it returns an object without effect, so a function may use it either way.
    """
    return under_way.get() or Computation()
