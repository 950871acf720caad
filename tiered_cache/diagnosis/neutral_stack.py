"""A stack of the settings, with policies that keep test values in every tier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.config.stack_factory import make_stack

if TYPE_CHECKING:
    from tiered_cache.cache import TieredCache
    from tiered_cache.config.schema import StackSettings

__all__ = ["open_neutral"]

_NEUTRAL: dict[str, Any] = {
    "writing": "write_through",
    "promotion": "always",
    "admission": {},
    "expiry": [],
    "refreshing": None,
    "statistics": "off",
    "strict": False,
}
"""No policy keeps a test value out of a tier, and none takes over a dead process's journal."""


def open_neutral(chosen: StackSettings) -> TieredCache:
    """The stack of the settings, with neutral policies."""
    return make_stack(chosen.model_copy(update=_NEUTRAL))
