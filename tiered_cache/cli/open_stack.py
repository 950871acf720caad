"""The stack that a command works on, and the tiers that it could not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._terminal.messages import say
from tiered_cache.cli.exits import UNAVAILABLE
from tiered_cache.errors import TierUnavailableError
from tiered_cache.events import EventKind

if TYPE_CHECKING:
    import argparse
    from types import TracebackType

    from tiered_cache.cache import TieredCache
    from tiered_cache.events import Event

__all__ = ["OpenStack"]


class OpenStack:
    """The stack that `--stack` and `--config` name, open while the block runs.

    A cache reports a tier's fault as a miss. A command that deletes or lists must not report success
    then, so the faults are collected here.

    Args:
        arguments: The parsed command line.

    Raises:
        ConfigurationError: The settings are wrong, or there is no such stack.
        TierUnavailableError: On leaving the block, queued writes did not reach every tier in time.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        from tiered_cache.config import load_settings

        self._name: str = arguments.stack
        self._settings = load_settings(config_file=arguments.config)
        chosen = self._settings.stack(self._name)
        self.namespace: str = chosen.namespace
        self.tier_names: list[str] = chosen.tier_names
        self._failed: set[str] = set()

    def __enter__(self) -> TieredCache:
        from tiered_cache.config.stack_factory import open_stack

        self._cache = open_stack(self._settings.stack(self._name))  # a command exports nothing
        self._cache.on_event(self._collect)
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

    def _collect(self, event: Event) -> None:
        if event.kind is EventKind.ERROR:
            self._failed.add(event.tier)

    def unreached(self) -> list[str]:
        """The tiers that failed or were skipped since the stack was opened, fastest first."""
        tiers = self._cache.stats().tiers
        return [
            tier.name for tier in tiers if tier.breaker != "closed" or tier.name in self._failed
        ]

    def code_if_whole(self, code: int) -> int:
        """`code` if every tier was reached; else print their names and return `UNAVAILABLE`."""
        unreached = self.unreached()
        if not unreached:
            return code
        say(f"tiered-cache: not done in every tier: {', '.join(unreached)} can't be reached")
        return UNAVAILABLE
