"""Stacks made from settings: their tiers, codec and policies."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

from tiered_cache.cache import TieredCache
from tiered_cache.codec import RecordCodec
from tiered_cache.codec.host_key import default_host_key_path, read_host_key
from tiered_cache.config.exporters import check_exporter
from tiered_cache.config.field_types import NO_BOUND
from tiered_cache.config.policy_factory import PolicyFactory
from tiered_cache.config.registered_tiers import registered_tier
from tiered_cache.errors import ConfigurationError
from tiered_cache.options import Coherence, SingleFlight

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tiered_cache._face.registered_types import Types
    from tiered_cache.config.schema import CoherenceSettings, StackSettings
    from tiered_cache.contracts import Tier

__all__ = [
    "check_stack",
    "find_host_key",
    "make_codec",
    "make_stack",
    "make_tier",
    "open_stack",
]

_log = logging.getLogger("tiered_cache.config")


def open_stack(chosen: StackSettings, types: Iterable[Types] = ()) -> TieredCache:
    """The stack of settings, built and opened, without its exporters. Raises as `building.build_stack`."""
    _warn_of_missing_disk(chosen)
    return make_stack(chosen, types=types)


def check_stack(chosen: StackSettings) -> None:
    """Check that settings make a stack, without opening its tiers.

    Raises:
        ConfigurationError: They make none; the message names the remedy.
        MissingExtraError: A tier needs an extra that is not installed.
    """
    make_stack(chosen, _UnopenedCache)
    for name, options in chosen.exporters.items():
        check_exporter(name, options)


class _UnopenedCache(TieredCache):
    """A cache with checked options and closed tiers."""

    __slots__ = ()

    def _begin(self) -> None:
        """Open nothing."""


def make_stack(
    chosen: StackSettings, face: type[TieredCache] = TieredCache, *, types: Iterable[Types] = ()
) -> TieredCache:
    """The cache of settings, made by `face`.

    Raises:
        ConfigurationError: The settings are wrong.
    """
    policies = PolicyFactory(chosen.policies)
    return face(
        [make_tier(kind, chosen) for kind in chosen.tier_names],
        namespace=chosen.namespace,
        writing=policies.writing(chosen.writing),
        promotion=policies.promotion(chosen.promotion),
        admission={tier: policies.admission(each) for tier, each in chosen.admission.items()},
        expiry=policies.expiry(chosen.expiry),
        refreshing=policies.refreshing(chosen.refreshing),
        statistics=policies.statistics(chosen.statistics),
        coherence=_coherence(chosen.coherence),
        single_flight=SingleFlight(**chosen.single_flight.model_dump()),
        stale_for=chosen.stale_for,
        max_ttl=chosen.max_ttl,
        default_ttl=chosen.default_ttl,
        strict=chosen.strict,
        failures_to_open=chosen.failures_to_open,
        probe_interval=chosen.probe_interval,
        codec=make_codec(chosen),
        types=types,
    )


def _coherence(chosen: CoherenceSettings) -> Coherence:
    bound = None if chosen.bound == NO_BOUND else chosen.bound
    return Coherence(bound=bound, when_cut=chosen.when_cut)


def make_codec(chosen: StackSettings) -> RecordCodec:
    """The codec of a stack, with its signing key."""
    key = chosen.signing_key
    return RecordCodec(
        chosen.namespace,
        shared_key=None if key is None else key.get_secret_value().encode("utf-8", "surrogatepass"),
    )


def find_host_key() -> tuple[Path, bool]:
    """The path of the host key, and whether the file exists. Does not make it.

    Raises:
        ConfigurationError: The file is unusable; the message names the remedy.
    """
    path = default_host_key_path()
    return path, read_host_key(path) is not None


def make_tier(kind: str, settings: StackSettings) -> Tier[Any]:
    """The tier called `kind`, not opened yet.

    Raises:
        ConfigurationError: There is no such tier, or it rejects its options.
    """
    make = _TIERS.get(kind)
    return registered_tier(kind, settings.custom.get(kind, {})) if make is None else make(settings)


# Each tier is imported here by its maker, so that a stack imports only the libraries of its tiers.


def _memory_tier(settings: StackSettings) -> Tier[Any]:
    from tiered_cache.tiers.memory import MemoryTier

    memory = settings.memory
    eviction = PolicyFactory(settings.policies).eviction(memory.eviction)
    return MemoryTier(memory.max_entries, memory.max_bytes, eviction=eviction, copy=memory.copy_)


def _disk_tier(settings: StackSettings) -> Tier[Any]:
    from tiered_cache.tiers.disk import DiskTier

    return DiskTier(**settings.disk.model_dump())


def _redis_tier(settings: StackSettings) -> Tier[Any]:
    from tiered_cache.tiers.redis import RedisTier

    address = settings.redis_address
    if address is None:
        msg = "the redis tier has no URL: set redis_url, such as redis://localhost:6379/0"
        raise ConfigurationError(msg)
    return RedisTier(address, **settings.redis.model_dump(exclude={"url"}))


def _null_tier(_settings: StackSettings) -> Tier[Any]:
    from tiered_cache.tiers.null import NullTier

    return NullTier()


_TIERS = {
    "memory": _memory_tier,
    "disk": _disk_tier,
    "redis": _redis_tier,
    "null": _null_tier,
}


def _warn_of_missing_disk(chosen: StackSettings) -> None:
    """Log a warning if the default stack has no disk tier, because no directory was found."""
    if chosen.tiers is None and "disk" not in chosen.tier_names:
        _warn_once(
            "no home directory was found, so the stack has no disk tier: set disk.path to an "
            "absolute path, and signing_key to store values that need pickle"
        )


@functools.cache
def _warn_once(message: str) -> None:
    """Log a warning, once in a process: each cache of a manager is a stack of its own."""
    _log.warning(message)
