"""Optional abilities of a tier. The engine finds them by `isinstance`, and works without each.

Calls keep the rules of `Tier`: the same guarantees, deadlines and errors.
"""

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
    """A tier that can read the head of a record, which has its instants, without the payload."""

    def get_heads(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """Like `Tier.get_many`, but with only the first `HEAD_BYTES` of each record.

        `Found.remaining_s` has no meaning here.
        """
        ...


@runtime_checkable
class QuickTier(Protocol):
    """A tier that an event loop may call without a thread, if `is_quick`."""

    @property
    def is_quick(self) -> bool:
        """Whether calls for one key never wait, never do I/O, and cost the same for any value."""
        ...


class AwaitedTier(Protocol):
    """The side of a tier that one `asyncio` event loop uses.

    The engine guarantees that only tasks of that loop call it. The implementer must answer, raise and
    keep deadlines as the method of the same name in `Tier`, `HeadTier` or `Leases` does. After a
    cancelled call, the change may have been made or not.
    """

    async def get(self, key: str) -> Found | Absent:
        """Like `Tier.get`."""
        ...

    async def get_many(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """Like `Tier.get_many`."""
        ...

    async def get_heads(self, keys: Sequence[str]) -> dict[str, Found | Absent]:
        """Like `HeadTier.get_heads`."""
        ...

    async def put(self, key: str, item: PutItem) -> bool:
        """Like `Tier.put`, with the arguments in `item`."""
        ...

    async def put_many(self, items: Mapping[str, PutItem]) -> set[str]:
        """Like `Tier.put_many`."""
        ...

    async def delete(self, key: str) -> bool:
        """Like `Tier.delete`."""
        ...

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Like `Tier.delete_many`."""
        ...

    async def clear(self, prefix: str) -> int:
        """Like `Tier.clear`."""
        ...

    async def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
        """Like `Leases.acquire`."""
        ...

    async def release(self, key: str, owner: str) -> None:
        """Like `Leases.release`."""
        ...

    async def wait(self, key: str, seen: object, timeout_s: float) -> None:
        """Like `Leases.wait`."""
        ...

    async def aclose(self) -> None:
        """Release the resources of this loop."""
        ...


@runtime_checkable
class AwaitableTier(Protocol):
    """A tier with leases that `asyncio` can await instead of calling it in a thread."""

    def awaited(self) -> AwaitedTier | None:
        """A new side for the running event loop; `None` where the tier needs threads after all.

        It opens nothing before its first call.
        """
        ...


@runtime_checkable
class FencingTier(Protocol):
    """A tier that can refuse earlier fills without removing keys.

    A queued clear needs it: it reaches the tier late, and must spare the values written since.

    The implementer must give all keys without a record and without a remembered deletion the same
    token, until the next fence or clear. The engine so tells a record that expired from one that was
    removed.
    """

    def fence(self, prefix: str) -> None:
        """Refuse each fill of any key that began before now. Remove nothing.

        A tier with a change log must log a change of all keys that begin with `prefix`. Raises the
        errors of `Tier.clear`.
        """
        ...


@runtime_checkable
class SteppedTier(Protocol):
    """A tier that can report the progress of a long `clear`."""

    def clear_in_steps(self, prefix: str, stepped: Callable[[int], object]) -> int:
        """Do the same as `Tier.clear`, and report after each step.

        Args:
            prefix: The prefix of the keys.
            stepped: To be called with the number of keys removed so far, with no lock held. It does
                not raise.
        """
        ...


@runtime_checkable
class DurableTier(Protocol):
    """A tier on this host's disk, with room for the journal beside its own data."""

    @property
    def journal_directory(self) -> Path:
        """A directory for the journal alone. It need not exist."""
        ...


@runtime_checkable
class LiveTier(Protocol):
    """A tier with hits that the engine inlines: it reads them without a lock and without a call.

    The value of a node has `value`, and `until`: the `clock.monotonic()` instant until which the
    value is fresh. The engine adds one to the node's `visits` for each hit that it inlines.
    """

    @property
    def live(self) -> Mapping[str, Node]:
        """The nodes by key: always the same object, empty if all hits must go through `get`."""
        ...

    @property
    def counts_live_hits(self) -> bool:
        """Whether `live` has a node for every key in the tier, and every hit counts as a visit."""
        ...

    def live_token(self, key: str) -> object:
        """The token of a key that is not in `live`, as in `Absent`. Takes no lock."""
        ...

    def live_seconds_saved(self) -> float:
        """The approximate sum of the costs of all inlined hits: those visits that were no `get`."""
        ...
