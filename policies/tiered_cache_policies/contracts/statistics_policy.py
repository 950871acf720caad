"""The contract of statistics policies."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

__all__ = ["StatisticsPolicy"]


@runtime_checkable
class StatisticsPolicy(Protocol):
    """States how much is counted. Both properties are read once, when the cache is built."""

    @property
    def one_in(self) -> int:
        """The number of calls of a tier for each counted one; 0 to count nothing."""
        ...

    @property
    def latencies(self) -> bool:
        """Whether the distribution of the times is kept as well."""
        ...
