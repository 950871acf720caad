"""Whether what a cache is given as a tier or policy is one: so that a mistake is told when the cache is made."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from tiered_cache.contracts import Tier
    from tiered_cache_policies.policy_registry import PolicyKind

__all__ = ["check_policy", "check_tiers"]

_TIER_HAS = ("name", "reach", "holds_records", "open", "get", "put", "delete", "close")

_HAS: dict[str, tuple[str, ...]] = {
    "writing": ("plan",),
    "promotion": ("promote",),
    "admission": ("admit",),
    "expiry": ("lifetime_s",),
    "refreshing": ("window_s", "on_hit"),
    "statistics": ("one_in", "latencies"),
}

T = TypeVar("T")


def check_tiers(tiers: Sequence[Tier]) -> None:
    """Make sure that `tiers` are objects that look like tiers, and can stand in that order.

    Raises:
        ConfigurationError: They are not; the message says what to write.
    """
    if isinstance(tiers, str) or not isinstance(tiers, Sequence):
        msg = f"tiers={tiers!r} must be a list of tiers: write [MemoryTier()], say"
        raise ConfigurationError(msg)
    for tier in tiers:
        if isinstance(tier, type) or not all(hasattr(tier, name) for name in _TIER_HAS):
            msg = (
                f"{tier!r} is no tier: give a list of objects such as MemoryTier() and DiskTier(). "
                "Names are for settings"
            )
            raise ConfigurationError(msg)
    if not tiers:
        msg = "a cache needs at least one tier, such as MemoryTier()"
        raise ConfigurationError(msg)
    names = [tier.name for tier in tiers]
    for name in names:
        if names.count(name) > 1:
            msg = f"two tiers are called {name!r}: give one of them another name="
            raise ConfigurationError(msg)
    for upper, lower in itertools.pairwise(tiers):
        if upper.reach > lower.reach:
            msg = (
                f"tier {lower.name!r} ({lower.reach.name.lower()} reach) stands below {upper.name!r} "
                f"({upper.reach.name.lower()} reach): a lookup falls from the fast tiers that few "
                f"share to the slow ones that many share, so put {lower.name!r} first"
            )
            raise ConfigurationError(msg)


def check_policy(kind: PolicyKind, policy: T) -> T:
    """`policy`, if it has what a policy of its kind has.

    Raises:
        ConfigurationError: It has not, or is a class or a name; the message says what is allowed.
    """
    if isinstance(policy, type):
        msg = f"{kind}={policy.__qualname__} is a class: make an object of it, {policy.__qualname__}(…)"
        raise ConfigurationError(msg)
    needed: Any = _HAS[kind]
    if all(hasattr(policy, name) for name in needed):
        return policy
    from tiered_cache_policies.policy_registry import policy_names

    names = ", ".join(policy_names(kind))
    msg = (
        f"{kind}={policy!r} is no {kind} policy: give it an object with {' and '.join(needed)}, such as "
        f"those in tiered_cache.policies. Names ({names}) are for settings"
    )
    raise ConfigurationError(msg)
