"""Policies by name, made with the options that the settings give them."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from tiered_cache_policies.admission.operators import AllOf
from tiered_cache_policies.policy_registry import PolicyKind, find_policy, policy_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    "check_policy_options",
    "made_admission",
    "made_eviction",
    "made_expiry",
    "made_promotion",
    "made_refreshing",
    "made_statistics",
    "made_writing",
]

PolicyOptions = dict[str, dict[str, Any]]
_TRIAL_SIZE = 100
_SIZES = ("maxsize", "getsizeof")
"""What a tier gives to an eviction policy by itself."""


def made_writing(name: str, options: Mapping[str, Mapping[str, Any]]) -> WritePolicy:
    """The write policy `name`.

    Raises:
        ValueError: It does not take its options; the message names the option and what is allowed.
    """
    return _made(name, find_policy("writing", name), _of(name, options))  # type: ignore[no-any-return] # by kind


def made_promotion(name: str, options: Mapping[str, Mapping[str, Any]]) -> PromotionPolicy:
    """The promotion policy `name`; raises as `made_writing` does."""
    return _made(name, find_policy("promotion", name), _of(name, options))  # type: ignore[no-any-return] # by kind


def made_admission(names: list[str], options: Mapping[str, Mapping[str, Any]]) -> AdmissionPolicy:
    """The admission policy that admits what each of `names` does; raises as `made_writing` does."""
    rules = [_made(name, find_policy("admission", name), _of(name, options)) for name in names]
    return rules[0] if len(rules) == 1 else AllOf(*rules)


def made_expiry(names: list[str], options: Mapping[str, Mapping[str, Any]]) -> list[ExpiryPolicy]:
    """The expiry policies `names`, in their order; raises as `made_writing` does."""
    return [_made(name, find_policy("expiry", name), _of(name, options)) for name in names]


def made_refreshing(
    name: str | None, options: Mapping[str, Mapping[str, Any]]
) -> RefreshPolicy | None:
    """The refresh policy `name`, if there is one; raises as `made_writing` does."""
    if name is None:
        return None
    return _made(name, find_policy("refreshing", name), _of(name, options))  # type: ignore[no-any-return] # by kind


def made_statistics(name: str, options: Mapping[str, Mapping[str, Any]]) -> StatisticsPolicy:
    """The statistics policy `name`; raises as `made_writing` does."""
    return _made(name, find_policy("statistics", name), _of(name, options))  # type: ignore[no-any-return] # by kind


def made_eviction(
    name: str, options: Mapping[str, Mapping[str, Any]]
) -> str | Callable[..., EvictionPolicy]:
    """The eviction policy `name`, for the memory tier to call with its bounds."""
    given = _of(name, options)
    return functools.partial(find_policy("eviction", name), **given) if given else name


def check_policy_options(options: PolicyOptions) -> PolicyOptions:
    """`options`, if each is of a policy that there is, and that takes them.

    Raises:
        ValueError: The message says which policies there are, or what an option must be.
    """
    for name, given in options.items():
        if name in policy_names("eviction"):
            _made(name, functools.partial(find_policy("eviction", name), _TRIAL_SIZE), given)
        else:
            _made(name, _factory(name), given)
    return options


def _factory(name: str) -> Callable[..., Any]:
    kinds: tuple[PolicyKind, ...] = (
        "admission",
        "expiry",
        "promotion",
        "refreshing",
        "statistics",
        "writing",
    )
    for kind in kinds:
        if name in policy_names(kind):
            return find_policy(kind, name)
    every: tuple[PolicyKind, ...] = ("eviction", *kinds)
    names = ", ".join(each for kind in every for each in policy_names(kind))
    msg = f"there is no policy called {name!r}: there are {names}"
    raise ValueError(msg)


def _of(name: str, options: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return options.get(name.strip().lower().replace("-", "_"), {})


def _made(name: str, factory: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    try:
        return factory(**options)
    except TypeError as error:
        allowed = ", ".join(_option_names(factory)) or "no options"
        msg = f"the policy {name} can't be made from {', '.join(options) or 'no options'} ({error}): it takes {allowed}"
        raise ValueError(msg) from error


def _option_names(factory: Callable[..., Any]) -> list[str]:
    try:
        names = inspect.signature(factory).parameters
        return [name for name in names if name not in _SIZES]
    except (TypeError, ValueError):
        return []
