"""The names of tiers: built in, and registered by installed packages as entry points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._extensions import TIERS, extension, extensions
from tiered_cache.config.redaction import safe
from tiered_cache.config.signatures import check_signature, takes
from tiered_cache.errors import (
    ConfigurationError,
    InvalidDurationError,
    InvalidSizeError,
    TieredCacheError,
)
from tiered_cache_policies.suggestions import suggestion_before

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.contracts import Tier

__all__ = ["BUILT_IN_TIERS", "check_tier_names", "check_tier_options", "registered_tier"]

BUILT_IN_TIERS = ("memory", "disk", "redis", "null")


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


def check_tier_options(name: str, options: dict[str, Any]) -> None:
    """Check the options of the registered tier `name` without making it; imports its module.

    Raises:
        ConfigurationError: No package registers it, or two do, it can't be loaded, or it rejects the
            options.
    """
    factory, _ = _factory(name)
    whole = _with_name(factory, name, options)
    check_signature(f"the tier {name}", factory, whole, implied="" if "name" in options else "name")


def registered_tier(name: str, options: dict[str, Any]) -> Tier[Any]:
    """The tier that a package registers as `name`.

    Args:
        name: The name of the entry point. It is passed to the factory too, if that has a `name`.
        options: Arguments of the factory.

    Raises:
        ConfigurationError: As for `check_tier_options`.
    """
    factory, place = _factory(name)
    implied = "" if "name" in options else "name"
    options = _with_name(factory, name, options)
    try:
        check_signature(f"the tier {name}", factory, options, implied=implied)
    except ConfigurationError as error:
        msg = f"{error.message}; give its options in [custom.{name}]"
        raise ConfigurationError(msg) from error
    try:
        return factory(**options)
    except (InvalidDurationError, InvalidSizeError) as error:
        msg = f"the tier {name} has a wrong option in [custom.{name}]: {error.message}"
        raise ConfigurationError(msg) from error
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
    found = extension(TIERS, name)
    if found is None:
        raise ConfigurationError(_unknown(name))
    factory: Callable[..., Tier[Any]] = found.load()
    return factory, found.place


def _with_name(
    factory: Callable[..., Tier[Any]], name: str, options: dict[str, Any]
) -> dict[str, Any]:
    """The options, with the name if the factory has a parameter for it: some names are fixed."""
    return options if "name" in options or not takes(factory, "name") else {**options, "name": name}


def _registered() -> set[str]:
    return {each.name for each in extensions(TIERS)}


def _unknown(name: str) -> str:
    names = [*BUILT_IN_TIERS, *sorted(_registered())]
    problem = (
        f"there is no tier called {safe('tiers', name)!r}: expected one of {', '.join(names)}; "
        f"packages register others under the entry point group {TIERS}"
    )
    return suggestion_before(problem, name, names)
