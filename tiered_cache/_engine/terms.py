"""A caller's function, and the TTL, tags and scope of its results."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping, Sequence  # noqa: TC003 - NamedTuple fields
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache.options import Scope  # noqa: TC001 - a NamedTuple's field
from tiered_cache.units import Duration  # noqa: TC001 - a NamedTuple's field

if TYPE_CHECKING:
    from tiered_cache.computation import Computation

__all__ = ["Terms", "Work", "is_single_use", "single_use_kind"]

_SINGLE_USE = {
    types.GeneratorType: "a generator",
    types.CoroutineType: "a coroutine",
    types.AsyncGeneratorType: "an asynchronous generator",
}


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

    def call_for(self, keys: Sequence[str]) -> Callable[[], Any]:
        """The call that computes `keys`: one key, unless `is_many`."""
        return partial(self.function, keys) if self.is_many else self.function

    def by_key(self, keys: Sequence[str], result: Any) -> Mapping[str, Any]:
        """The values in the result of such a call."""
        values: Mapping[str, Any] = result if self.is_many else {keys[0]: result}
        return values


def is_single_use(value: object) -> bool:
    """Whether `value` is single-use: a generator or coroutine, which only one caller can consume."""
    return type(value) in _SINGLE_USE


def single_use_kind(value: object) -> str | None:
    """The kind of a single-use value, such as `"a generator"`; `None` for any other."""
    return _SINGLE_USE.get(type(value))
