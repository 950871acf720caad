"""Building a stack of the settings, with its exporters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.config.exporters import start_exporters
from tiered_cache.config.loading import load_settings
from tiered_cache.config.stack_factory import open_stack

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tiered_cache._face.registered_types import Types
    from tiered_cache.cache import TieredCache
    from tiered_cache.config.settings import Settings

__all__ = ["build_stack"]


def build_stack(
    name: str = "default", settings: Settings | None = None, *, types: Iterable[Types] = ()
) -> TieredCache:
    """The stack called `name`, built and opened, with its exporters started.

    Args:
        name: Its name in the settings.
        settings: The settings; by default they are read.
        types: The types that records may contain, as for `TieredCache`.

    Raises:
        ConfigurationError: The settings are wrong, or name an unknown tier.
        TierUnavailableError: Its only tier can't be reached.
    """
    chosen = (load_settings() if settings is None else settings).stack(name)
    cache = open_stack(chosen, types)
    try:
        start_exporters(cache, chosen.exporters)
    except BaseException:
        cache.close()
        raise
    return cache
