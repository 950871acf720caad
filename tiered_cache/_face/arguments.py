"""Arguments of callers, checked and turned into those of the engine."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache._engine.scopes import check_scope
from tiered_cache._engine.terms import Terms
from tiered_cache.contracts.checks import check_policy
from tiered_cache.errors import ConfigurationError, InvalidKeyError
from tiered_cache.events import EventKind
from tiered_cache.keys import TAG_PREFIX, check_key
from tiered_cache.options import Scope
from tiered_cache.units import TTL, parse_lifetime
from tiered_cache_policies.contracts import Durability

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiered_cache._engine.stack import Stack
    from tiered_cache.contracts import Tier
    from tiered_cache_policies.contracts import AdmissionPolicy, ExpiryPolicy, TierFacts

__all__ = [
    "admission_by_tier",
    "by_tier",
    "check_prefix",
    "check_reach",
    "event_kinds",
    "in_turn",
    "level_of",
    "refused_compute",
    "tag_keys",
    "terms_of",
]

T = TypeVar("T")
_NO_TAGS: frozenset[str] = frozenset()


def admission_by_tier(
    tiers: Sequence[Tier[Any]], admission: AdmissionPolicy | Mapping[str, AdmissionPolicy] | None
) -> Mapping[str, AdmissionPolicy]:
    """The admission policies by tier name; a single one serves every tier."""
    if admission is None:
        return {}
    if not isinstance(admission, Mapping):
        check_policy("admission", admission)
        return dict.fromkeys([tier.name for tier in tiers], admission)
    for policy in admission.values():
        check_policy("admission", policy)
    return by_tier("admission", tiers, admission)


def by_tier(option: str, tiers: Sequence[Tier[Any]], values: Mapping[str, T]) -> Mapping[str, T]:
    """`values`, if each name is a tier's; else raises `ConfigurationError`."""
    names = [tier.name for tier in tiers]
    if not isinstance(values, Mapping):
        msg = f"{option}={values!r} must map names of tiers to values, such as {{{names[0]!r}: …}}"
        raise ConfigurationError(msg)
    for name in values:
        if name not in names:
            msg = (
                f"{option}={name!r} is not a tier of this cache: expected one of {', '.join(names)}"
            )
            raise ConfigurationError(msg)
    return dict(values)


def in_turn(expiry: ExpiryPolicy | Sequence[ExpiryPolicy]) -> tuple[ExpiryPolicy, ...]:
    """The expiry policies, in the order in which they are asked."""
    several = isinstance(expiry, Sequence) and not isinstance(expiry, str)
    policies: Any = expiry if several else (expiry,)
    return tuple([check_policy("expiry", each) for each in policies])


def check_reach(within: str | None) -> str | None:
    """`within`, if it names a reach; else raises `ConfigurationError`."""
    if within not in (None, "cluster", "host", "process"):
        msg = f"within={within!r} must be 'cluster', 'host', 'process' or None"
        raise ConfigurationError(msg)
    return within


def level_of(durability: str | None, tiers: Sequence[TierFacts]) -> Durability | None:
    """The durability of that name, if `tiers` can give it; raises `ConfigurationError`."""
    if durability is None:
        return None
    try:
        level = Durability(durability)
    except ValueError:
        msg = f"durability={durability!r} must be 'memory', 'disk' or 'remote'"
        raise ConfigurationError(msg) from None
    if level is Durability.REMOTE and not any(each.shared and each.durable for each in tiers):
        names = ", ".join(each.name for each in tiers)
        msg = (
            "durability='remote' needs a durable tier that hosts share, such as RedisTier, and the "
            f"tiers are {names}: add one, or write durability='disk'"
        )
        raise ConfigurationError(msg)
    return level


def event_kinds(kinds: Iterable[str] | None) -> frozenset[EventKind]:
    """The kinds of events of these names, all for `None`; raises `ConfigurationError`."""
    if kinds is None:
        return frozenset(EventKind)
    wanted = (kinds,) if isinstance(kinds, str) else kinds
    try:
        return frozenset([EventKind(each) for each in wanted])
    except (ValueError, TypeError):
        known = ", ".join([repr(each.value) for each in EventKind])
        msg = f"kinds={kinds!r} must be a list of kinds of events: {known}"
        raise ConfigurationError(msg) from None


def refused_compute(key: object, compute: object) -> ConfigurationError:
    """The error for a `compute` that the called face can't call."""
    if callable(key) and hasattr(key, "uncached"):
        name = getattr(key, "__name__", "f")
        msg = (
            f"got the cached function {name} as key, and a key is a string: to refresh a cached call, "
            f"write {name}.refresh({compute!r})"
        )
    elif callable(key) and isinstance(compute, str):
        msg = "key and compute are swapped: write get_or_compute(key, compute)"
    elif not callable(compute):
        msg = (
            f"compute={compute!r} must be a function without arguments: write "
            f"get_or_compute({key!r}, lambda: …), or set({key!r}, …) for a value that is known"
        )
    else:
        msg = (
            f"compute={compute!r} is an async function, which the synchronous face can't await: use "
            "AsyncTieredCache.of(cache)"
        )
    return ConfigurationError(msg)


def terms_of(stack: Stack, ttl: TTL, tags: Iterable[str], scope: str | None = None) -> Terms:
    """The terms of a value.

    Raises:
        InvalidDurationError: `ttl` is not a lifetime.
        InvalidKeyError: `tags` are not tags.
        ConfigurationError: `scope` is not a scope, or no tier can keep it.
    """
    if ttl is None and not tags and scope is None:
        return stack.default_terms
    within = None if scope is None else Scope.of(scope)
    if within is not None:
        check_scope(within, stack.levels)
    lifetime_of = None
    if ttl is None:
        lifetime_s = stack.options.default_lifetime_s
    elif callable(ttl):
        lifetime_s, lifetime_of = math.inf, ttl
    else:
        lifetime_s = parse_lifetime(ttl)
    if not tags:
        return Terms(lifetime_s, _NO_TAGS, lifetime_of, within)
    wanted: tuple[object, ...] = () if isinstance(tags, str) else (*tags,)
    names = frozenset([tag for tag in wanted if isinstance(tag, str) and tag])
    if len(names) < len({*wanted}) or not wanted:
        msg = "tags must be non-empty strings in a set, list or tuple, such as tags={'repo:x'}"
        raise InvalidKeyError(msg)
    for name in names:
        check_key(name)  # tag versions are stored under them
    return Terms(lifetime_s, names, lifetime_of, within)


def check_prefix(prefix: str) -> str:
    """`prefix`, if it is a string; else raises `InvalidKeyError`."""
    if not isinstance(prefix, str):
        msg = f"A prefix must be a string, not {type(prefix).__name__}"
        raise InvalidKeyError(msg)
    return prefix


def tag_keys(names: Iterable[str]) -> list[str]:
    """The keys under which tag versions are stored."""
    return [TAG_PREFIX + name for name in names]
