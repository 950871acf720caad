"""A caller's function, and the TTL, tags and scope of its results."""

from __future__ import annotations

import math
import types
from collections.abc import Callable  # noqa: TC003 - a NamedTuple's field
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache.options import Scope  # noqa: TC001 - a NamedTuple's field
from tiered_cache.units import Duration  # noqa: TC001 - a NamedTuple's field

if TYPE_CHECKING:
    from tiered_cache.computation import Computation

__all__ = ["SINGLE_USE", "Terms", "Work"]

SINGLE_USE = {
    types.GeneratorType: "a generator",
    types.CoroutineType: "a coroutine",
    types.AsyncGeneratorType: "an asynchronous generator",
}
"""Types whose objects only one caller can consume, with their names for people."""


class Terms(NamedTuple):
    """The TTL, tags and scope of a value.

    Attributes:
        lifetime_s: Seconds that it is fresh, `inf` without a limit.
        tags: Its tags.
        lifetime_of: Gives the lifetime of a value, where the caller passed a function.
        scope: The scope of the computation, where the caller chose one.
    """

    lifetime_s: float = math.inf
    tags: frozenset[str] = frozenset()
    lifetime_of: Callable[[Any], Duration | None] | None = None
    scope: Scope | None = None

    def overridden(self, computation: Computation) -> Terms:
        """These terms, with the TTL and tags that the function itself set."""
        if computation.lifetime_s is None and not computation.tags:
            return self
        tags = self.tags | computation.tags
        if computation.lifetime_s is None:
            return self._replace(tags=tags)
        return self._replace(lifetime_s=computation.lifetime_s, tags=tags, lifetime_of=None)


class Work(NamedTuple):
    """A caller's function, and the terms of its results.

    Attributes:
        function: Takes no argument and returns the value of one key; or, if `is_many`, takes keys
            and returns values by key.
        terms: The terms of each value.
        is_many: Whether it computes any number of keys in one call.
    """

    function: Callable[..., Any]
    terms: Terms
    is_many: bool = False
