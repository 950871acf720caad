"""Abilities that a tier may have beyond those of every tier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tiered_cache.contracts.leases import LeaseAnswer
    from tiered_cache.contracts.tier import Absent, Found, PutItem
    from tiered_cache_policies.contracts import Node

__all__ = [
    "AwaitableTier",
    "AwaitedTier",
    "DurableTier",
    "FencingTier",
    "HeadTier",
    "LiveTier",
    "QuickTier",
    "SteppedTier",
]


@runtime_checkable
class HeadTier(Protocol):
    """A tier that can say cheaply how old what it holds is, without handing it out."""

    def get_heads(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """As `get_many`, but of each record only the first `HEAD_BYTES`, and no lifetimes."""
        ...


@runtime_checkable
class QuickTier(Protocol):
    """A tier that says whether its calls may be made by an event loop itself."""

    @property
    def is_quick(self) -> bool:
        """Whether no call for one key waits, does I/O, or takes longer for a larger value."""
        ...


class AwaitedTier(Protocol):
    """The side of a tier that one event loop of `asyncio` uses. Not thread-safe.

    Each method answers as the one of `Tier`, `HeadTier` or `Leases` with its name, within the same
    deadline, and raises the same. Cancelling a call leaves open whether it was done.
    """

    async def get(self, key: str) -> Found | Absent:
        """As `Tier.get`."""
        ...

    async def get_many(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """As `Tier.get_many`."""
        ...

    async def get_heads(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """As `HeadTier.get_heads`."""
        ...

    async def put(self, key: str, item: PutItem) -> bool:
        """As `Tier.put`."""
        ...

    async def put_many(self, items: Mapping[str, PutItem]) -> set[str]:
        """As `Tier.put_many`."""
        ...

    async def delete(self, key: str) -> bool:
        """As `Tier.delete`."""
        ...

    async def delete_many(self, keys: Sequence[str]) -> int:
        """As `Tier.delete_many`."""
        ...

    async def clear(self, prefix: str) -> int:
        """As `Tier.clear`."""
        ...

    async def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
        """As `Leases.acquire`."""
        ...

    async def release(self, key: str, owner: str) -> None:
        """As `Leases.release`."""
        ...

    async def wait(self, key: str, seen: object, timeout_s: float) -> None:
        """As `Leases.wait`."""
        ...

    async def aclose(self) -> None:
        """Let go of what this loop uses."""
        ...


@runtime_checkable
class AwaitableTier(Protocol):
    """A tier that `asyncio` need not ask from a thread. It has leases."""

    def awaited(self) -> AwaitedTier | None:
        """A side of its own for the running event loop, which opens nothing until it is used.

        `None` where threads have to ask it nevertheless.
        """
        ...


@runtime_checkable
class FencingTier(Protocol):
    """A tier that can do the first half of a `clear`, for one that comes late and is to spare what is newer."""

    def fence(self, prefix: str) -> None:
        """Refuse every fill that began before now, and log that keys which begin with `prefix` changed.

        Nothing is removed. Raises as `Tier.clear` does.
        """
        ...


@runtime_checkable
class SteppedTier(Protocol):
    """A tier that can say how far a `clear` has come, which takes long where there is much."""

    def clear_in_steps(self, prefix: str, stepped: Callable[[int], object]) -> int:
        """Do what `clear` does, and call `stepped` after each step with the keys removed so far.

        It is called without a lock held, and does not raise.
        """
        ...


@runtime_checkable
class DurableTier(Protocol):
    """A tier on this host's disk, which has a place for the journal beside its own data."""

    @property
    def journal_directory(self) -> Path:
        """A directory that nothing else uses; it need not exist."""
        ...


@runtime_checkable
class LiveTier(Protocol):
    """A tier whose hits may be read without a lock and without a call: the engine inlines them.

    The node's value has `until` (`clock.monotonic()` seconds up to which it is fresh) and `value`.
    """

    @property
    def live(self) -> Mapping[str, Node]:
        """Nodes by key; empty where hits must go through `get`. The same object for ever."""
        ...

    @property
    def counts_live_hits(self) -> bool:
        """Whether `live` has a node for every key that it holds, and all hits add to its visits."""
        ...

    def live_token(self, key: str) -> object:
        """The token of a key that is not in `live`, without a lock; see `Absent`."""
        ...

    def live_seconds_saved(self) -> float:
        """The computing seconds that the hits in its nodes' visits made unnecessary, about."""
        ...
