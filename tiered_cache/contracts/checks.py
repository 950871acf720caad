"""Checks of the tiers and policies that a cache is given, so that a mistake shows at construction."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache.contracts.adapted_tier import adapted
from tiered_cache.contracts.offers import Offers
from tiered_cache.contracts.tier import CONTRACT, Reach
from tiered_cache.errors import ConfigurationError

if TYPE_CHECKING:
    from tiered_cache.contracts.tier import Tier
    from tiered_cache_policies.policy_registry import PolicyKind

__all__ = ["check_policy", "check_tiers"]

_TIER_HAS = (
    "name",
    "reach",
    "holds_records",
    "open",
    "get",
    "get_many",
    "put",
    "put_many",
    "delete",
    "delete_many",
    "clear",
    "scan",
    "info",
    "close",
)

_POLICY_HAS: dict[str, tuple[str, ...]] = {
    "writing": ("plan",),
    "promotion": ("promote",),
    "admission": ("admit",),
    "expiry": ("lifetime_s",),
    "refreshing": ("window_s", "on_hit"),
    "statistics": ("one_in", "latencies"),
}

T = TypeVar("T")


def check_tiers(tiers: Sequence[Tier[Any]]) -> list[Tier[Any]]:
    """`tiers` as the engine takes them: those without a contract number are adapted.

    Raises:
        ConfigurationError: They are no tiers, can't form a stack in this order, or follow a contract
            that this release does not know.
    """
    if isinstance(tiers, str) or not isinstance(tiers, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance] # a caller without a type checker
        msg = (
            f"tiers={tiers!r} is not a list of tiers: write [MemoryTier(), DiskTier()], for example"
        )
        raise ConfigurationError(msg)
    if not tiers:
        msg = f"tiers={tiers!r} is empty: a cache needs at least one tier, such as MemoryTier()"
        raise ConfigurationError(msg)
    for tier in tiers:
        _check_tier(tier)
    _check_names([tier.name for tier in tiers])
    for upper, lower in itertools.pairwise(tiers):
        if upper.reach > lower.reach:
            msg = (
                f"tier {lower.name!r} (reach: {lower.reach.name.lower()}) stands below "
                f"{upper.name!r} (reach: {upper.reach.name.lower()}): tiers go from the narrowest "
                f"reach to the widest, so put {lower.name!r} first"
            )
            raise ConfigurationError(msg)
    return [adapted(tier) for tier in tiers]


def _check_tier(tier: Any) -> None:
    if isinstance(tier, type):
        msg = f"{tier.__qualname__} is a class, not a tier: write {tier.__qualname__}(…)"
        raise ConfigurationError(msg)
    if isinstance(tier, str):
        msg = (
            f"{tier!r} is a name, not a tier: expected an object, such as MemoryTier(). Names belong "
            "in the settings"
        )
        raise ConfigurationError(msg)
    missing = [name for name in _TIER_HAS if not hasattr(tier, name)]
    if missing:
        msg = (
            f"{tier!r} is not a tier, because it lacks {', '.join(missing)}: expected an object such "
            "as MemoryTier(), or a subclass of tiered_cache.contracts.BaseTier"
        )
        raise ConfigurationError(msg)
    if not isinstance(tier.reach, Reach):
        msg = (
            f"reach={tier.reach!r} of {tier!r} is not a reach: expected Reach.PROCESS, Reach.HOST or "
            "Reach.CLUSTER, of tiered_cache.contracts"
        )
        raise ConfigurationError(msg)
    if hasattr(tier, "contract"):
        _check_contract(tier)


def _check_contract(tier: Tier[Any]) -> None:
    contract = tier.contract
    if type(contract) is not int or contract > CONTRACT:
        kind = type(tier)
        msg = (
            f"{kind.__module__}.{kind.__qualname__} follows contract {contract!r} of tiers, and this "
            f"release of tiered-cache knows contracts up to {CONTRACT}: install a newer tiered-cache, "
            f"or an older release of {_package_of(kind)}"
        )
        raise ConfigurationError(msg)
    if not isinstance(getattr(tier, "offers", None), Offers):
        msg = (
            f"{tier!r} has a contract and no offers: inherit tiered_cache.contracts.BaseTier, or set "
            "offers to tiered_cache.contracts.Offers()"
        )
        raise ConfigurationError(msg)


def _package_of(kind: type) -> str:
    """The distribution of a class, or its module where no distribution has it."""
    from importlib.metadata import packages_distributions  # slow, and for the message only

    top = kind.__module__.partition(".")[0]
    return packages_distributions().get(top, [kind.__module__])[0]


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            msg = (
                f"two tiers are called {name!r}, and names must be unique: give one of them another "
                "name="
            )
            raise ConfigurationError(msg)


def check_policy(kind: PolicyKind, policy: T) -> T:
    """`policy`, if it has the attributes of its kind. Raises `ConfigurationError` otherwise."""
    if isinstance(policy, type):
        name = policy.__qualname__
        msg = f"{kind}={name} is a class, not a policy: write {kind}={name}(…)"
        raise ConfigurationError(msg)
    needed = _POLICY_HAS[kind]
    if all(hasattr(policy, name) for name in needed):
        return policy
    from tiered_cache_policies.policy_registry import policy_names  # for the message only

    article = "an" if kind[0] in "aeiou" else "a"
    msg = (
        f"{kind}={policy!r} is not {article} {kind} policy: expected an object with "
        f"{' and '.join(needed)}, such "
        f"as those in tiered_cache.policies. Names ({', '.join(policy_names(kind))}) belong in the "
        "settings"
    )
    raise ConfigurationError(msg)
