"""Under which terms a value is stored, and the entry that comes of it."""

from __future__ import annotations

import math
import types
from collections.abc import Callable  # noqa: TC003 - a NamedTuple's field
from typing import TYPE_CHECKING, Any, NamedTuple

from tiered_cache.entry import NO_TAGS, Entry
from tiered_cache.errors import SerializationError
from tiered_cache.options import Scope  # noqa: TC001 - a NamedTuple's field
from tiered_cache.units import Duration, parse_lifetime
from tiered_cache_policies.contracts import NewValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tiered_cache._engine.stack import Stack
    from tiered_cache.computation import Computation

__all__ = ["Terms", "is_used_up", "make_entry"]

_USED_UP = {
    types.GeneratorType: "a generator",
    types.CoroutineType: "a coroutine",
    types.AsyncGeneratorType: "an asynchronous generator",
}


class Terms(NamedTuple):
    """Under which terms a value is stored.

    Attributes:
        lifetime_s: Seconds that it is fresh, `inf` without a limit.
        tags: Its tags.
        lifetime_of: Says the lifetime of a value, where the caller gave a function.
        scope: Among whom one computes it, where the caller said so.
    """

    lifetime_s: float = math.inf
    tags: frozenset[str] = frozenset()
    lifetime_of: Callable[[Any], Duration | None] | None = None
    scope: Scope | None = None

    def told(self, computation: Computation) -> Terms:
        """These terms, changed as the function itself said while it computed."""
        if computation.lifetime_s is None and not computation.tags:
            return self
        tags = self.tags | computation.tags
        if computation.lifetime_s is None:
            return self._replace(tags=tags)
        return self._replace(lifetime_s=computation.lifetime_s, tags=tags, lifetime_of=None)


def is_used_up(value: object) -> bool:
    """Whether who gets `value` uses it up, so that nobody else can have it."""
    return type(value) in _USED_UP


def make_entry(
    stack: Stack,
    key: str,
    value: object,
    terms: Terms,
    now_s: float,
    cost_s: float = 0.0,
    lead_s: float = 0.0,
    tags: Mapping[str, int] = NO_TAGS,
) -> Entry:
    """The entry of a value that is written now.

    Raises:
        InvalidDurationError: The caller's function gave no lifetime.
        SerializationError: The value can be used once only.
    """
    if is_used_up(value):
        msg = (
            f"{_USED_UP[type(value)]} can be used once only, so it can't be kept: store a list of "
            "what it gives, or the result that was awaited"
        )
        raise SerializationError(msg, key=key)
    lifetime_s = terms.lifetime_s
    if terms.lifetime_of is not None:
        lifetime_s = parse_lifetime(terms.lifetime_of(value))
    for policy in stack.options.expiry:
        new = NewValue(key, value, lifetime_s, cost_s, now_s)
        decided = stack.decide(policy.lifetime_s, new, otherwise=lifetime_s)
        lifetime_s = decided if decided > 0 else lifetime_s
    fresh_until_s = now_s + lifetime_s
    return Entry(
        value,
        created_s=now_s,
        fresh_until_s=fresh_until_s,
        stale_until_s=fresh_until_s + stack.options.stale_for_s,
        cost_s=cost_s,
        lead_s=lead_s,
        tags=tags,
    )
