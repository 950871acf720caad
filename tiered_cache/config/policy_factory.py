"""Policies made from their names, with the options in `[policies.NAME]`."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from tiered_cache.errors import ConfigurationError
from tiered_cache_policies.admission.operators import AllOf
from tiered_cache_policies.policy_registry import PolicyKind, find_policy, policy_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tiered_cache_policies.contracts import (
        AdmissionPolicy,
        EvictionPolicy,
        ExpiryPolicy,
        PromotionPolicy,
        RefreshPolicy,
        StatisticsPolicy,
        WritePolicy,
    )

__all__ = ["PolicyFactory", "all_policy_names", "check_policy"]

P = TypeVar("P")

_KINDS: tuple[PolicyKind, ...] = get_args(PolicyKind)
_TRIAL_SIZE = 100
_SIZES = ("maxsize", "getsizeof")
"""Arguments of an eviction policy that the tier gives."""


class PolicyFactory:
    """Makes the policies of a stack. Every method raises `ConfigurationError` for wrong options.

    Args:
        options: The options of each policy, by its name.
    """

    def __init__(self, options: Mapping[str, Mapping[str, Any]]) -> None:
        self._options = options

    def writing(self, name: str) -> WritePolicy:
        """The write policy `name`."""
        return self._make(name, find_policy("writing", name))

    def promotion(self, name: str) -> PromotionPolicy:
        """The promotion policy `name`."""
        return self._make(name, find_policy("promotion", name))

    def admission(self, names: Sequence[str]) -> AdmissionPolicy:
        """A policy that admits an entry if every policy of `names` does."""
        rules = [self._make(name, find_policy("admission", name)) for name in names]
        return rules[0] if len(rules) == 1 else AllOf(*rules)

    def expiry(self, names: Sequence[str]) -> list[ExpiryPolicy]:
        """The expiry policies `names`, in their order."""
        return [self._make(name, find_policy("expiry", name)) for name in names]

    def refreshing(self, name: str | None) -> RefreshPolicy | None:
        """The refresh policy `name`; `None` for none."""
        if name is None:
            return None
        return self._make(name, find_policy("refreshing", name))

    def statistics(self, name: str) -> StatisticsPolicy:
        """The statistics policy `name`."""
        return self._make(name, find_policy("statistics", name))

    def eviction(self, name: str) -> str | Callable[..., EvictionPolicy]:
        """The eviction policy `name`, which the memory tier makes with its own size."""
        options = self._of(name)
        return functools.partial(find_policy("eviction", name), **options) if options else name

    def _make(self, name: str, factory: Callable[..., P]) -> P:
        try:
            return _made(name, factory, self._of(name))
        except ConfigurationError as error:
            msg = f"{error}; give its options in [policies.{name}]"
            raise ConfigurationError(msg) from error

    def _of(self, name: str) -> Mapping[str, Any]:
        return self._options.get(name.strip().lower().replace("-", "_"), {})


def all_policy_names() -> list[str]:
    """The names of the policies of every kind, built-in and of installed packages."""
    return [name for kind in _KINDS for name in policy_names(kind)]


def check_policy(name: str, options: Mapping[str, Any]) -> None:
    """Check the options of the policy `name`, one of `all_policy_names`, by making it once.

    Raises:
        ConfigurationError: The policy does not accept them, or needs others.
    """
    kind: PolicyKind = next(kind for kind in _KINDS if name in policy_names(kind))
    found: Callable[..., object] = find_policy(kind, name)
    _made(name, functools.partial(found, _TRIAL_SIZE) if kind == "eviction" else found, options)


def _made(name: str, factory: Callable[..., P], options: Mapping[str, Any]) -> P:
    try:
        return factory(**options)
    except TypeError as error:
        accepted = ", ".join(_option_names(factory)) or "no options"
        given = ", ".join(options) or "no options"
        msg = f"the policy {name} can't be made from {given} ({error}): it takes {accepted}"
        raise ConfigurationError(msg) from error
    except ValueError as error:
        msg = f"the policy {name} has a wrong option: {error}"
        raise ConfigurationError(msg) from error


def _option_names(factory: Callable[..., object]) -> list[str]:
    try:
        names = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return []
    return [name for name in names if name not in _SIZES]
