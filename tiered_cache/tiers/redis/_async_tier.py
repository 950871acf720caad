"""The Redis tier for one event loop of `asyncio`: the same steps over awaited connections."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from tiered_cache.errors import TierUnavailableError
from tiered_cache.tiers.redis._async_server import AsyncServerConnections
from tiered_cache.tiers.redis._leases import POLL_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tiered_cache.contracts import Absent, Found, Put
    from tiered_cache.contracts.leases import LeaseAnswer
    from tiered_cache.tiers.redis._client import Steps
    from tiered_cache.tiers.redis._leases import LeaseCommands
    from tiered_cache.tiers.redis._records import RecordCommands
    from tiered_cache.tiers.redis._scans import ScanCommands
    from tiered_cache.tiers.redis._server_connections import ServerConnections

__all__ = ["AsyncRedis"]

T = TypeVar("T")


class AsyncRedis:
    """Implements `AwaitedTier`: runs the steps of a Redis tier over connections of its own.

    Args:
        pool: The tier's connections for threads.
        records: The steps for records.
        scans: The steps for walks over all keys.
        leases: The steps for leases.
    """

    def __init__(
        self,
        pool: ServerConnections,
        records: RecordCommands,
        scans: ScanCommands,
        leases: LeaseCommands,
    ) -> None:
        self._pool = AsyncServerConnections(pool)
        self._sole_address = pool.sole_address
        self._records = records
        self._scans = scans
        self._leases = leases
        self._may_block = asyncio.Semaphore(max(1, pool.max_connections // 2))

    async def _run(self, steps: Steps[T]) -> T:
        try:
            batch = next(steps)
            while True:
                try:
                    replies = await self._pool.exchange(batch.commands, batch.extra_s)
                except TierUnavailableError as error:
                    batch = steps.throw(error)
                else:
                    batch = steps.send(replies)
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def get(self, key: str) -> Found[bytes] | Absent:
        """The record of `key`, in one round trip."""
        return await self._run(self._records.get(key))

    async def get_many(self, keys: Sequence[str]) -> dict[str, Found[bytes] | Absent]:
        """The records of `keys`, in one round trip."""
        return await self._run(self._records.get_many(keys))

    async def get_heads(self, keys: Sequence[str]) -> dict[str, Found[bytes] | Absent]:
        """The first bytes of the records of `keys`, some 500 keys a round trip."""
        return await self._run(self._records.get_heads(keys))

    async def put(self, key: str, put: Put[bytes]) -> bool:
        """Store a record, in one round trip."""
        return await self._run(self._records.put(key, put))

    async def put_many(self, puts: Mapping[str, Put[bytes]]) -> set[str]:
        """Store each of `puts`, some 8 MiB of them a round trip."""
        return await self._run(self._records.put_many(puts))

    async def delete(self, key: str) -> bool:
        """Replace `key` by a tombstone."""
        return await self._run(self._records.delete(key))

    async def delete_many(self, keys: Sequence[str]) -> int:
        """Replace `keys` by tombstones, some 500 keys a round trip."""
        return await self._run(self._records.delete_many(keys))

    async def clear(self, prefix: str) -> int:
        """Remove every key that begins with `prefix`, some 500 keys a round trip."""
        return await self._run(self._scans.clear(prefix, lambda _: None, self._sole_address))

    async def acquire(self, key: str, owner: str, lifetime_s: float) -> LeaseAnswer:
        """Ask for the lease of `key`."""
        return await self._run(self._leases.acquire(key, owner, lifetime_s))

    async def release(self, key: str, owner: str) -> None:
        """Release the lease and wake its waiters."""
        await self._run(self._leases.release(key, owner))

    async def wait(self, key: str, seen: object, timeout_s: float) -> None:
        """Wait until the lease is released, or `timeout_s` is over."""
        if self._may_block.locked():
            await asyncio.sleep(min(timeout_s, POLL_S))
            return
        async with self._may_block:
            await self._run(self._leases.wait(key, seen, timeout_s))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.close()
