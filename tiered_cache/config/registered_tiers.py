"""The names of tiers: built in, and registered by installed packages as entry points."""

from __future__ import annotations

import inspect
from importlib import metadata
from typing import TYPE_CHECKING, Any

from tiered_cache.config.redaction import safe
from tiered_cache.errors import ConfigurationError, TieredCacheError
from tiered_cache_policies.suggestions import suggestion_before

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.contracts import Tier

__all__ = ["BUILT_IN_TIERS", "ENTRY_POINT_GROUP", "check_tier_names", "registered_tier"]

BUILT_IN_TIERS = ("memory", "disk", "redis", "null")
ENTRY_POINT_GROUP = "tiered_cache.tiers"


def check_tier_names(names: list[str] | None) -> list[str] | None:
    """`names`, if each names a tier and none occurs twice.

    Raises:
        ValueError: The message lists the names of all tiers.
    """
    for name in names or ():
        if name not in BUILT_IN_TIERS and name not in _registered():
            raise ValueError(_unknown(name))
        if (names or ()).count(name) > 1:
            msg = f"{safe('tiers', name)!r} is there twice: name each tier once"
            raise ValueError(msg)
    return names


def registered_tier(name: str, options: dict[str, Any]) -> Tier[Any]:
    """The tier that a package registers as `name`.

    Args:
        name: The name of the entry point. It is passed to the factory too, if that has a `name`.
        options: Arguments of the factory.

    Raises:
        ConfigurationError: No package registers it, it can't be loaded, or it rejects the options.
    """
    factory, place = _factory(name)
    if "name" not in options and _takes_name(factory):
        options = {**options, "name": name}
    try:
        return factory(**options)
    except TieredCacheError:
        raise
    except Exception as error:  # its message may quote the options, of which some may be secret
        given = ", ".join(sorted(options)) or "no options"
        msg = (
            f"the tier {name!r} can't be made from the options in [custom.{name}] ({given}): "
            f"{type(error).__name__} in {place}"
        )
        raise ConfigurationError(msg) from error


def _factory(name: str) -> tuple[Callable[..., Tier[Any]], str]:
    """The class or function that makes the tier `name`, and its place."""
    point = _registered().get(name)
    if point is None:
        raise ConfigurationError(_unknown(name))
    try:
        factory: Callable[..., Tier[Any]] = point.load()
    except Exception as error:  # importing another package's module may raise anything
        msg = f"the tier {name!r} can't be loaded from {point.value}: {type(error).__name__}"
        raise ConfigurationError(msg) from error
    return factory, point.value


def _registered() -> dict[str, metadata.EntryPoint]:
    return {each.name: each for each in metadata.entry_points(group=ENTRY_POINT_GROUP)}


def _unknown(name: str) -> str:
    names = [*BUILT_IN_TIERS, *sorted(_registered())]
    problem = (
        f"there is no tier called {safe('tiers', name)!r}: expected one of {', '.join(names)}; "
        f"packages register others under the entry point group {ENTRY_POINT_GROUP}"
    )
    return suggestion_before(problem, name, names)


def _takes_name(factory: Callable[..., Tier[Any]]) -> bool:
    """Whether the factory has a parameter `name`. A tier with a fixed name needs none."""
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return False
    return "name" in parameters or any(
        each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()
    )
