"""From settings to a stack: the one place, with the manager, that knows concrete tiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache.cache import TieredCache
from tiered_cache.codec import RecordCodec
from tiered_cache.codec.host_key import default_host_key_path, read_host_key
from tiered_cache.config.extensions import registered_tier
from tiered_cache.config.load import Settings, load_settings
from tiered_cache.config.policy_options import (
    made_admission,
    made_eviction,
    made_expiry,
    made_promotion,
    made_refreshing,
    made_statistics,
    made_writing,
)
from tiered_cache.errors import ConfigurationError
from tiered_cache.options import Coherence, SingleFlight

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tiered_cache.config.schema import StackSettings
    from tiered_cache.contracts import Tier

__all__ = [
    "build_stack",
    "check_stack",
    "find_host_key",
    "make_codec",
    "make_stack",
    "make_tier",
]

N = TypeVar("N")
T = TypeVar("T")


def build_stack(name: str = "default", settings: Settings | None = None) -> TieredCache:
    """The stack called `name`, built and opened.

    Args:
        name: Its name in the settings.
        settings: The settings; by default they are read.

    Raises:
        ConfigurationError: The settings are wrong, or name a tier that is not there.
    """
    return make_stack((load_settings() if settings is None else settings).stack(name))


def check_stack(chosen: StackSettings) -> None:
    """Make sure that settings make a stack, as far as that can be told without opening its tiers.

    Raises:
        ConfigurationError: They don't; the message says what to change.
        MissingExtraError: A tier of it needs an extra that is not installed.
    """
    make_stack(chosen, _Unopened)


class _Unopened(TieredCache):
    """A cache whose tiers and options are checked, and not used."""

    __slots__ = ()

    def _begin(self) -> None:
        """Nothing is opened."""


def make_stack(chosen: StackSettings, face: type[TieredCache] = TieredCache) -> TieredCache:
    """The stack of settings, as `face` makes it of its tiers and options.

    Raises:
        ConfigurationError: The settings are wrong.
    """
    tiers = [make_tier(kind, chosen) for kind in chosen.tier_names]
    return face(tiers, **_options(chosen), codec=make_codec(chosen))


def make_codec(chosen: StackSettings) -> RecordCodec:
    """What turns a stack's values into records."""
    key = chosen.signing_key
    return RecordCodec(
        chosen.namespace,
        shared_key=None if key is None else key.get_secret_value().encode("utf-8", "surrogatepass"),
    )


def find_host_key() -> tuple[Path, bool]:
    """The path of the host key, and whether the file exists. Does not make it.

    Raises:
        ConfigurationError: The file is unusable; the message says what to do.
    """
    path = default_host_key_path()
    return path, read_host_key(path) is not None


def _options(chosen: StackSettings) -> dict[str, Any]:
    return {
        "namespace": chosen.namespace,
        "writing": _checked(made_writing, chosen.writing, chosen.policies),
        "promotion": _checked(made_promotion, chosen.promotion, chosen.policies),
        "admission": {
            tier: _checked(made_admission, names, chosen.policies)
            for tier, names in chosen.admission.items()
        },
        "expiry": _checked(made_expiry, chosen.expiry, chosen.policies),
        "refreshing": _checked(made_refreshing, chosen.refreshing, chosen.policies),
        "statistics": _checked(made_statistics, chosen.statistics, chosen.policies),
        "coherence": Coherence(**chosen.coherence.model_dump()),
        "single_flight": SingleFlight(**chosen.single_flight.model_dump()),
        "stale_for": chosen.stale_for,
        "max_ttl": chosen.max_ttl,
        "default_ttl": chosen.default_ttl,
        "strict": chosen.strict,
        "failures_to_open": chosen.failures_to_open,
        "probe_interval": chosen.probe_interval,
    }


def _checked(
    make: Callable[[N, Mapping[str, Mapping[str, Any]]], T],
    name: N,
    options: Mapping[str, Mapping[str, Any]],
) -> T:
    try:
        return make(name, options)
    except ValueError as error:
        msg = f"{error}: give its options in [policies.…]"
        raise ConfigurationError(msg) from error


def make_tier(kind: str, settings: StackSettings) -> Tier:
    """The tier called `kind`, not opened yet.

    Raises:
        ConfigurationError: There is none, or it does not take its options.
    """
    # Each library is imported by the stack that uses it, and by no other.
    if kind == "memory":
        from tiered_cache.tiers.memory import MemoryTier

        memory = settings.memory
        eviction = _checked(made_eviction, memory.eviction, settings.policies)
        return MemoryTier(**{**memory.model_dump(by_alias=True), "eviction": eviction})
    if kind == "disk":
        from tiered_cache.tiers.disk import DiskTier

        return DiskTier(**settings.disk.model_dump())
    if kind == "redis":
        from tiered_cache.tiers.redis import RedisTier

        options: dict[str, Any] = {**settings.redis.model_dump(), "url": settings.redis_address}
        return RedisTier(**options)
    if kind == "null":
        from tiered_cache.tiers.null import NullTier

        return NullTier()
    return registered_tier(kind, settings.custom.get(kind, {}))
