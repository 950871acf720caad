"""The stack that a command works on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.config import build_stack, load_settings

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cache import TieredCache

__all__ = ["open_stack"]


def open_stack(arguments: argparse.Namespace) -> TieredCache:
    """The stack that `--stack` and `--config` name."""
    return build_stack(arguments.stack, load_settings(config_file=arguments.config))
