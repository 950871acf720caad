"""Configuration: settings from arguments, variables and files become a built stack."""

from __future__ import annotations

from tiered_cache.config.build import build_stack
from tiered_cache.config.load import Resolved, Settings, json_schema, load_settings
from tiered_cache.config.mistakes import Mistake, SettingsMistakesError

__all__ = [
    "Mistake",
    "Resolved",
    "Settings",
    "SettingsMistakesError",
    "build_stack",
    "json_schema",
    "load_settings",
]
