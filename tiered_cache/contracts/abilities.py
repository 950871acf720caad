"""Two abilities of a tier: hits that the engine inlines, and a side for an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache.contracts.items import Absent, Found, Put
    from tiered_cache.contracts.leases import LeaseAnswer
    from tiered_cache_policies.contracts import Node

__all__ = ["AwaitedTier", "LiveNodes"]


class LiveNodes(Protocol):
    """Hits that the engine inlines: it reads them without a lock and without a call.

    The value of a node has `value`, and `until`: the `clock.monotonic()` instant until which the
    value is fresh. The engine adds one to the node's `visits` for each hit that it inlines.
    """

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes by key: always the same object, empty if all hits must go through `get`."""
        ...

    @property
    def counts_hits(self) -> bool:
        """Whether `nodes` has a node for every key in the tier, and every hit counts as a visit."""
        ...

    def token(self, key: str) -> object:
        """The token of a key that is not in `nodes`, as in `Absent`. Takes no lock."""
        ...

    def seconds_saved(self) -> float:
        """The approximate sum of the costs of all inlined hits: those visits that were no `get`."""
        ...


class AwaitedTier(Protocol):
    """The side of a tier that one `asyncio` event loop uses.

    The engine guarantees that only tasks of that loop call it. The implementer must answer, raise and
    keep deadlines as the method of the same name in `Tier` or `Leases` does. After a
    cancelled call, the change may have been made or not.
    """

    async def get(self, key: str) -> Found[bytes] | Absent:
        """Like `Tier.get`."""
        ...

    async def get_many(self, keys: Sequence[str]) -> dict[str, Found[bytes] | Absent]:
        """Like `Tier.get_many`."""
        ...

    async def get_heads(self, keys: Sequence[str]) -> dict[str, Found[bytes] | Absent]:
        """Like `Offers.heads`."""
        ...

    async def put(self, key: str, put: Put[bytes]) -> bool:
        """Like `Tier.put`."""
        ...

    async def put_many(self, puts: Mapping[str, Put[bytes]]) -> set[str]:
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
