"""Policies by name, for configuration: `"sieve"`, `"write_through"`, or those of other packages."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from tiered_cache_policies.entry_points import installed_points
from tiered_cache_policies.suggestions import suggestion_before

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.metadata import EntryPoint

    from tiered_cache_policies.contracts import (
        AdmissionPolicy,
        EvictionPolicy,
        ExpiryPolicy,
        PromotionPolicy,
        RefreshPolicy,
        StatisticsPolicy,
        WritePolicy,
    )

__all__ = [
    "ENTRY_POINT_GROUP",
    "PolicyKind",
    "PolicyLookupError",
    "find_policy",
    "is_built_in",
    "policy_names",
]

ENTRY_POINT_GROUP: Final = "tiered_cache.policies"
"""The entry-point group of policies in installed packages, each named `kind.name`: `eviction.acme`."""

PolicyKind = Literal[
    "admission", "eviction", "expiry", "promotion", "refreshing", "statistics", "writing"
]

_BUILT_IN: dict[PolicyKind, dict[str, str]] = {
    "admission": {
        "break_even": "BreakEven",
        "max_bytes": "MaxBytes",
        "min_cost": "MinCost",
        "second_hit": "SecondHit",
    },
    "eviction": {
        "adaptive": "Adaptive",
        "arc": "ARC",
        "fifo": "FIFO",
        "gdsf": "GDSF",
        "lfu": "LFU",
        "lru": "LRU",
        "s3fifo": "S3FIFO",
        "sieve": "Sieve",
        "tinylfu": "TinyLFU",
        "ttl": "TTL",
    },
    "expiry": {"jittered": "Jittered", "negative": "Negative", "until": "Until"},
    "promotion": {
        "always": "Always",
        "by_bytes": "ByBytes",
        "never": "Never",
        "on_hit": "OnHit",
        "probabilistic": "Probabilistic",
    },
    "refreshing": {
        "early_refresh": "EarlyRefresh",
        "refresh_ahead": "RefreshAhead",
        "sliding": "Sliding",
    },
    "statistics": {
        "counters": "Counters",
        "histograms": "Histograms",
        "off": "Off",
        "sampled": "Sampled",
    },
    "writing": {
        "write_around": "WriteAround",
        "write_back": "WriteBack",
        "write_through": "WriteThrough",
    },
}
"""Class names by policy name. The kind is also the folder of the class, and the name its module."""


class PolicyLookupError(LookupError):
    """No policy has the name, or its package can't be loaded. The message lists the names."""


@overload
def find_policy(kind: Literal["admission"], name: str) -> Callable[..., AdmissionPolicy]: ...
@overload
def find_policy(kind: Literal["eviction"], name: str) -> Callable[..., EvictionPolicy]: ...
@overload
def find_policy(kind: Literal["expiry"], name: str) -> Callable[..., ExpiryPolicy]: ...
@overload
def find_policy(kind: Literal["promotion"], name: str) -> Callable[..., PromotionPolicy]: ...
@overload
def find_policy(kind: Literal["refreshing"], name: str) -> Callable[..., RefreshPolicy]: ...
@overload
def find_policy(kind: Literal["statistics"], name: str) -> Callable[..., StatisticsPolicy]: ...
@overload
def find_policy(kind: Literal["writing"], name: str) -> Callable[..., WritePolicy]: ...
@overload
def find_policy(kind: PolicyKind, name: str) -> Callable[..., object]: ...
def find_policy(kind: PolicyKind, name: str) -> Callable[..., Any]:
    """The class or factory of the policy `name`; imports its module.

    An eviction policy is called with `(maxsize, getsizeof=None)` and its options, any other policy
    with its options. Case does not matter, and `-` is `_`. A built-in name wins over an installed
    package, which must not change the meaning of `"lru"`.

    Raises:
        PolicyLookupError: No policy has the name, or its package can't be loaded.
    """
    wanted = _normalized(name)
    class_name = _BUILT_IN[kind].get(wanted)
    if class_name is None:
        return _load(kind, name, _registered(kind).get(wanted, []))
    found: Callable[..., Any] = getattr(
        import_module(f"tiered_cache_policies.{kind}.{wanted}"), class_name
    )
    return found


def is_built_in(kind: PolicyKind, name: str) -> bool:
    """Whether a policy is one of this package."""
    return _normalized(name) in _BUILT_IN[kind]


def policy_names(kind: PolicyKind) -> tuple[str, ...]:
    """The names of one kind, built-in and of installed packages, sorted."""
    return tuple(sorted({*_BUILT_IN[kind], *_registered(kind)}))


def _load(kind: PolicyKind, name: str, points: Sequence[EntryPoint]) -> Callable[..., Any]:
    if not points:
        names = policy_names(kind)
        problem = f"{name!r} is not a policy of the kind {kind}: use one of {', '.join(names)}"
        raise PolicyLookupError(suggestion_before(problem, _normalized(name), names))
    point = points[0]
    owners = sorted({_owner(each) for each in points})
    if len(owners) > 1:
        msg = f"the policy {name!r} is registered by {' and '.join(owners)}: uninstall all but one of them"
        raise PolicyLookupError(msg)
    try:
        found: Callable[..., Any] = point.load()
    except Exception as error:  # importing the other package's module may raise anything
        msg = f"the policy {name!r} of {owners[0]} can't be loaded from {point.value}: {error!r}"
        raise PolicyLookupError(msg) from error
    return found


def _owner(point: EntryPoint) -> str:
    return (
        "an installed package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    )


def _registered(kind: PolicyKind) -> dict[str, list[EntryPoint]]:
    """The entry points of one kind by name: more than one where packages chose the same."""
    prefix = f"{kind}."
    found: dict[str, list[EntryPoint]] = {}
    for point in installed_points(ENTRY_POINT_GROUP):
        if point.name.startswith(prefix):
            found.setdefault(_normalized(point.name.removeprefix(prefix)), []).append(point)
    return found


def _normalized(name: str) -> str:
    return name.strip().lower().replace("-", "_")
