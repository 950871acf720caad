"""The construction of the memory tier's eviction policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.errors import ConfigurationError
from tiered_cache_policies.contracts import CostAware, EvictionPolicy
from tiered_cache_policies.policy_registry import find_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.tiers.memory._slots import Slot

__all__ = ["has_own_bounds", "make_policy"]

_UNMEASURED_S = 0.001


def has_own_bounds(eviction: str | EvictionPolicy | Callable[..., EvictionPolicy]) -> bool:
    """Whether `eviction` is a policy object, as opposed to a name, class or factory."""
    return not isinstance(eviction, str) and not callable(eviction)


def make_policy(
    eviction: str | EvictionPolicy | Callable[..., EvictionPolicy],
    max_entries: int,
    max_bytes: int | None,
) -> EvictionPolicy:
    """The eviction policy of a tier with these bounds.

    It counts bytes where `max_bytes` is given, else entries.

    Raises:
        ConfigurationError: No such policy, or it can't be made from bounds alone.
    """
    if isinstance(eviction, str):
        try:
            factory: Callable[..., EvictionPolicy] = find_policy("eviction", eviction)
        except LookupError as error:
            raise ConfigurationError(str(error.args[0])) from error
    elif callable(eviction):
        factory = eviction
    else:
        return _checked(eviction, max_bytes)
    try:
        if max_bytes is None:
            policy = factory(max_entries)
        else:
            policy = factory(max_bytes, getsizeof=_size_of)
    except TypeError as error:
        msg = f"eviction={eviction!r} can't be made from a maxsize and a getsizeof alone ({error}): pass a policy object"
        raise ConfigurationError(msg) from error
    if isinstance(policy, CostAware):
        policy.getcost = _cost_of
    return policy


def _checked(policy: EvictionPolicy, max_bytes: int | None) -> EvictionPolicy:
    if max_bytes is not None:
        msg = f"max_bytes={max_bytes} has no effect on {policy!r}, which has bounds of its own: remove one of the two"
        raise ConfigurationError(msg)
    if not hasattr(policy, "popitem"):
        msg = f"eviction={policy!r} of the memory tier is not an eviction policy: write a policy's name, class or object"
        raise ConfigurationError(msg)
    return policy


def _size_of(slot: Slot) -> int:
    return slot.size or 1


def _cost_of(slot: Slot) -> float:
    """The seconds that computing the entry took. A value that was set, with no cost, counts a little."""
    return slot.entry.cost_s or _UNMEASURED_S
