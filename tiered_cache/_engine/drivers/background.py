"""The background work that effects ask for."""

from __future__ import annotations

from collections.abc import Callable  # noqa: TC003 - a NamedTuple's field
from typing import NamedTuple

from tiered_cache._engine.effects import Refresh  # noqa: TC001 - a NamedTuple's field

__all__ = ["Background"]


class Background(NamedTuple):
    """The background work that effects ask for.

    Attributes:
        catch_up: Reads the change logs; returns how many tiers are still doubted.
        renew_leases: Starts the thread that renews the held leases.
        wake_flusher: Has the write-back queue flushed.
        refresh: Recomputes values.
    """

    catch_up: Callable[[], int]
    renew_leases: Callable[[], None]
    wake_flusher: Callable[[], None]
    refresh: Callable[[Refresh], object]
