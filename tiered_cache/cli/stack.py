"""The stack that a command works on, and which of its tiers it could not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.cli.exits import UNAVAILABLE
from tiered_cache.cli.output import say
from tiered_cache.config import build_stack, load_settings
from tiered_cache.errors import TierUnavailableError
from tiered_cache.events import EventKind

if TYPE_CHECKING:
    import argparse
    from types import TracebackType

    from tiered_cache.cache import TieredCache
    from tiered_cache.events import Event

__all__ = ["OpenStack"]


class OpenStack:
    """The stack that `--stack` and `--config` name, from `with` to its end.

    A fault of a tier reaches nobody who calls the cache; a command that was to delete or to list
    must not report success all the same, so this one takes notice.

    Args:
        arguments: The parsed command line.

    Raises:
        ConfigurationError: The settings are wrong, or there is no such stack.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._name: str = arguments.stack
        self._settings = load_settings(config_file=arguments.config)
        chosen = self._settings.stack(self._name)
        self.namespace = chosen.namespace
        self.tier_names = chosen.tier_names
        self._failed: set[str] = set()

    def __enter__(self) -> TieredCache:
        self._cache = build_stack(self._name, self._settings)
        self._cache.on_event(self._notice)
        return self._cache

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        left = self._cache.close()
        if left and error is None:
            msg = f"{len(left)} queued writes did not reach every tier in time"
            raise TierUnavailableError(msg)

    def _notice(self, event: Event) -> None:
        if event.kind is EventKind.ERROR:
            self._failed.add(event.tier)

    def unreached(self) -> list[str]:
        """The tiers that failed or were skipped since the stack was opened, fastest first."""
        tiers = self._cache.stats().tiers
        return [
            tier.name for tier in tiers if tier.breaker != "closed" or tier.name in self._failed
        ]

    def code_if_whole(self, code: int) -> int:
        """`code`, unless a tier was not reached: then that is said, and is the code."""
        unreached = self.unreached()
        if not unreached:
            return code
        say(f"tiered-cache: not done in every tier: {', '.join(unreached)} can't be reached")
        return UNAVAILABLE
