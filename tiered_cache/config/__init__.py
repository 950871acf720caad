"""Settings from arguments, variables and files, and the stacks built from them.

The one package that knows the concrete tiers and policies. The manager, the diagnosis, the command
line and the default cache import it; nothing below does, except `TieredCache.from_settings`.
"""

from __future__ import annotations

from tiered_cache.config.building import build_stack
from tiered_cache.config.loading import check_untrusted, load_settings
from tiered_cache.config.mistakes import Mistake, SettingsMistakesError
from tiered_cache.config.settings import Resolved, Settings, json_schema

__all__ = [
    "Mistake",
    "Resolved",
    "Settings",
    "SettingsMistakesError",
    "build_stack",
    "check_untrusted",
    "json_schema",
    "load_settings",
]
