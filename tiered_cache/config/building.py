"""From settings to a stack: the one place, with the manager, that knows concrete tiers."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

from tiered_cache.cache import TieredCache
from tiered_cache.codec import RecordCodec
from tiered_cache.config.loading import Settings, load_settings
from tiered_cache.config.schema import BUILT_IN_TIERS
from tiered_cache.errors import ConfigurationError
from tiered_cache_policies.registry import promotion_policy, write_policy

if TYPE_CHECKING:
    from tiered_cache.config.schema import StackSettings
    from tiered_cache.contracts import Tier

__all__ = ["build_stack"]

ENTRY_POINT_GROUP = "tiered_cache.tiers"


def build_stack(name: str = "default", settings: Settings | None = None) -> TieredCache:
    """The stack called `name`, built and opened.

    Args:
        name: Its name in the settings.
        settings: The settings; by default they are read.

    Raises:
        ConfigurationError: The settings are wrong, or name a tier that is not there.
    """
    chosen = (load_settings() if settings is None else settings).stack(name)
    key = chosen.signing_key
    codec = RecordCodec(
        chosen.namespace, shared_key=None if key is None else key.get_secret_value().encode()
    )
    return TieredCache(
        [_make_tier(kind, chosen) for kind in chosen.tier_names],
        namespace=chosen.namespace,
        writing=write_policy(chosen.writing)(),
        promotion=promotion_policy(chosen.promotion)(),
        default_ttl=chosen.default_ttl,
        codec=codec,
        strict=chosen.strict,
        failures_to_open=chosen.failures_to_open,
        probe_interval=chosen.probe_interval,
    )


def _make_tier(kind: str, settings: StackSettings) -> Tier:
    # Each library is imported by the stack that uses it, and by no other.
    if kind == "memory":
        from tiered_cache.tiers.memory import MemoryTier

        return MemoryTier(**settings.memory.model_dump(by_alias=True))
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
    return _registered_tier(kind, settings.custom.get(kind, {}))


def _registered_tier(kind: str, options: dict[str, Any]) -> Tier:
    found = {each.name: each for each in metadata.entry_points(group=ENTRY_POINT_GROUP)}
    if kind not in found:
        names = ", ".join([*BUILT_IN_TIERS, *sorted(found)])
        msg = f"there is no tier called {kind!r}: there are {names}; others are registered under the entry point group {ENTRY_POINT_GROUP}"
        raise ConfigurationError(msg)
    try:
        tier: Tier = found[kind].load()(**options)
    except TypeError as error:
        msg = f"the tier {kind!r} can't be made from the options in [custom.{kind}]: {error}"
        raise ConfigurationError(msg) from error
    return tier
