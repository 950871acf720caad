"""Policies by name, for configuration: `"sieve"`, `"write_through"`, or anybody's own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable
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
    "admission_policy",
    "eviction_policy",
    "expiry_policy",
    "policy_names",
    "promotion_policy",
    "refresh_policy",
    "statistics_policy",
    "write_policy",
]

ENTRY_POINT_GROUP: Final = "tiered_cache.policies"
"""Where installed packages register their policies, each as `kind.name`: `eviction.acme`."""

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
"""Class names by policy name. Kind and name are also the folder and the module, which is imported
when the policy is asked for."""


class PolicyLookupError(LookupError):
    """No policy has the name, or the one that has it can't be loaded; the message says which do."""


def admission_policy(name: str) -> Callable[..., AdmissionPolicy]:
    """The admission policy called `name`, to be called with its options.

    Raises:
        PolicyLookupError: There is none, or it can't be loaded.
    """
    found: Callable[..., AdmissionPolicy] = _find("admission", name)
    return found


def eviction_policy(name: str) -> Callable[..., EvictionPolicy]:
    """The eviction policy called `name`, to be called with `(maxsize, getsizeof=None)`.

    Raises:
        PolicyLookupError: There is none, or it can't be loaded.
    """
    found: Callable[..., EvictionPolicy] = _find("eviction", name)
    return found


def expiry_policy(name: str) -> Callable[..., ExpiryPolicy]:
    """The expiry policy called `name`, to be called with its options.

    Raises:
        PolicyLookupError: There is none, or it can't be loaded.
    """
    found: Callable[..., ExpiryPolicy] = _find("expiry", name)
    return found


def refresh_policy(name: str) -> Callable[..., RefreshPolicy]:
    """The refresh policy called `name`, to be called with its options.

    Raises:
        PolicyLookupError: There is none, or it can't be loaded.
    """
    found: Callable[..., RefreshPolicy] = _find("refreshing", name)
    return found


def statistics_policy(name: str) -> Callable[..., StatisticsPolicy]:
    """The statistics policy called `name`, to be called with its options.

    Raises:
        PolicyLookupError: There is none, or it can't be loaded.
    """
    found: Callable[..., StatisticsPolicy] = _find("statistics", name)
    return found


def promotion_policy(name: str) -> Callable[..., PromotionPolicy]:
    """The promotion policy called `name`, to be called with its options.

    Raises:
        PolicyLookupError: There is none, or it can't be loaded.
    """
    found: Callable[..., PromotionPolicy] = _find("promotion", name)
    return found


def write_policy(name: str) -> Callable[..., WritePolicy]:
    """The write policy called `name`, to be called with its options.

    Raises:
        PolicyLookupError: There is none, or it can't be loaded.
    """
    found: Callable[..., WritePolicy] = _find("writing", name)
    return found


def policy_names(kind: PolicyKind) -> tuple[str, ...]:
    """All names of one kind, sorted: ours and those that installed packages register."""
    return tuple(sorted({*_BUILT_IN[kind], *_registered(kind)}))


def _find(kind: PolicyKind, name: str) -> Any:
    """Ours first: a package that is merely installed must not change what `"lru"` means."""
    wanted = _normalized(name)
    class_name = _BUILT_IN[kind].get(wanted)
    if class_name is not None:
        return getattr(import_module(f"tiered_cache_policies.{kind}.{wanted}"), class_name)
    point = _registered(kind).get(wanted)
    if point is None:
        msg = f"{name!r} is not a policy of the kind {kind}: use one of {', '.join(policy_names(kind))}"
        raise PolicyLookupError(msg)
    try:
        return point.load()
    except Exception as error:  # whatever somebody else's module raises while it is imported
        owner = point.dist.name if point.dist is not None else "an installed package"
        msg = f"the policy {name!r} of {owner} can't be loaded from {point.value}: {error!r}"
        raise PolicyLookupError(msg) from error


def _registered(kind: PolicyKind) -> dict[str, EntryPoint]:
    # Imported here because it takes longer to import than this whole package, and few need it.
    from importlib.metadata import entry_points

    prefix = f"{kind}."
    return {
        _normalized(point.name.removeprefix(prefix)): point
        for point in entry_points(group=ENTRY_POINT_GROUP)
        if point.name.startswith(prefix)
    }


def _normalized(name: str) -> str:
    return name.strip().lower().replace("-", "_")
