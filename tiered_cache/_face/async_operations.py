"""The awaited methods for operating a cache: statistics, events, queue, journal, closing."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Self

from tiered_cache._face.arguments import check_reach
from tiered_cache._face.base import Face
from tiered_cache.errors import MissingExtraError
from tiered_cache.units import Duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Iterable

    from tiered_cache._face.async_core import AsyncCore
    from tiered_cache._face.core_source import CoreSource
    from tiered_cache.contracts import Tracer
    from tiered_cache.events import Event
    from tiered_cache.results import JournalEntry
    from tiered_cache.stats.fleet.fleet_stats import FleetStats
    from tiered_cache.stats.fleet.reports import Totals
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["AsyncOperations"]


class AsyncOperations(Face):
    """The part of `AsyncTieredCache` that neither reads nor writes values."""

    __slots__ = ()

    def _begin(self) -> None:
        _side_maker()

    async def stats(self) -> CacheStats:
        """All statistics, as `TieredCache.stats`."""
        side = await self._side()
        return await side.in_thread(side.core.statistics.stats)

    get_stats = stats

    async def fleet(self, since: Duration | None = None, within: str | None = None) -> FleetStats:
        """The statistics of all processes that share a tier with this cache, as `TieredCache.fleet`."""
        since_s = None if since is None else parse_duration(since, name="since")
        side = await self._side()
        return await side.in_thread(side.core.statistics.fleet, since_s, check_reach(within))

    async def fleet_past(self, reach: str) -> list[Totals]:
        """The totals of all processes at moments of the last day, as `TieredCache.fleet_past`."""
        side = await self._side()
        return await side.in_thread(side.core.statistics.fleet_past, reach)

    async def trace(self, tracer: Tracer) -> Callable[[], None]:
        """Have `tracer` begin a span for each `get_or_compute`, as `TieredCache.trace` does."""
        return (await self._side()).core.trace(tracer)

    async def on_event(
        self, listener: Callable[[Event], None], kinds: Iterable[str] | None = None
    ) -> Callable[[], None]:
        """Call `listener` for each event. Returns the function that removes it.

        It is called in the thread that did the work, mostly the loop's: it must be quick. `kinds` is
        that of `TieredCache.on_event`.
        """
        return (await self._side()).core.listen(listener, kinds)

    async def flush(self, timeout: Duration = "10s") -> bool:
        """Flush queued writes within `timeout`. Returns whether all were written."""
        timeout_s = parse_duration(timeout, name="timeout")
        side = await self._side()
        return not await side.in_thread(side.core.flush, timeout_s)

    async def journal(self) -> list[JournalEntry]:
        """The queued writes on this host's disk that some tier does not have yet."""
        side = await self._side()
        return await side.in_thread(side.core.stack.journal().entries)

    async def retry_parked(self, keys: Container[str] | None = None) -> int:
        """Queue the parked writes once more. Returns how many."""
        side = await self._side()
        return await side.in_thread(side.core.flusher.retry, keys)

    async def drop_parked(self, keys: Container[str] | None = None) -> int:
        """Remove the parked writes from the journal. Returns how many."""
        side = await self._side()
        stack = side.core.stack
        return await side.in_thread(stack.journal().drop_parked, stack.record_tiers, keys)

    async def close(self, timeout: Duration = "10s") -> list[str]:
        """Flush within `timeout` and release every resource. Using the cache again raises.

        The synchronous face and the views are closed too.

        Returns:
            The keys of the queued writes that did not reach every tier in time.
        """
        timeout_s = parse_duration(timeout, name="timeout")
        side = await self._side()
        left = await side.in_thread(side.core.flush, timeout_s)
        await side.close(self._source)
        return left

    aclose = close

    async def __aenter__(self) -> Self:
        await self._side()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _side(self) -> AsyncCore:
        return await _side_maker()(self._source)


@functools.cache
def _side_maker() -> Callable[[CoreSource], Awaitable[AsyncCore]]:
    """The function that makes a side for event loops, imported at its first use.

    So the package can be imported without the extra `[async]`.
    """
    try:
        from tiered_cache._face.async_core import async_core_of
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "anyio":
            raise
        msg = "AsyncTieredCache needs anyio: pip install 'tiered-cache[async]'"
        raise MissingExtraError(msg) from error
    return async_core_of
