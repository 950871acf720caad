"""The synchronous methods for operating a cache: statistics, events, queue, journal, closing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from tiered_cache._face.arguments import check_reach
from tiered_cache._face.base import Face
from tiered_cache.units import Duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from tiered_cache.contracts import Tracer
    from tiered_cache.events import Event
    from tiered_cache.results import JournalEntry
    from tiered_cache.stats.fleet.fleet_stats import FleetStats
    from tiered_cache.stats.fleet.reports import Totals
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["Operations"]


class Operations(Face):
    """The part of `TieredCache` that neither reads nor writes values."""

    __slots__ = ()

    def stats(self) -> CacheStats:
        """All statistics of the cache and of each tier. Asks each healthy tier for its size."""
        return self._source.core().statistics.stats()

    get_stats = stats

    def fleet(self, since: Duration | None = None, within: str | None = None) -> FleetStats:
        """The statistics of all processes that share a tier with this cache, dead ones included.

        Those of all hosts where a Redis tier answers; else those of this host where there is a disk
        tier; else this process only. The figures of other processes are some seconds old.

        Args:
            since: How far back, at most a day, such as `"15m"`; `span_s` gives the exact span.
                Without it, everything that was ever counted.
            within: `"host"` to leave other hosts out.

        Cost: some milliseconds, and one more for each ten processes.
        """
        since_s = None if since is None else parse_duration(since, name="since")
        return self._source.core().statistics.fleet(since_s, check_reach(within))

    def fleet_past(self, reach: str) -> list[Totals]:
        """The totals of all processes at moments of the last day.

        One a minute for the last 15 minutes, and one for each half hour before. Use the counters: the
        difference of two moments covers the time between them.

        Args:
            reach: As in `FleetStats`; a single process keeps no moments.
        """
        return self._source.core().statistics.fleet_past(reach)

    def on_event(
        self, listener: Callable[[Event], None], kinds: Iterable[str] | None = None
    ) -> Callable[[], None]:
        """Call `listener` for each event. Returns the function that removes it.

        A listener that raises is logged once and changes nothing.

        Args:
            listener: The function.
            kinds: The kinds of events that it gets, such as `["breaker", "error"]`; by default all.
                While a listener gets `"hit"`, a hit in a memory tier costs a call into the tier.

        Raises:
            ConfigurationError: `listener` is not a function, or `kinds` are not kinds of events.
        """
        return self._source.core().listen(listener, kinds)

    def trace(self, tracer: Tracer) -> Callable[[], None]:
        """Have `tracer` begin a span for each `get_or_compute`. Returns a function that ends it.

        `tiered_cache.integrations.opentelemetry` has one. While there is a tracer, a hit in a memory
        tier costs a call into it, and the span.

        Raises:
            ConfigurationError: The cache has a tracer already.
        """
        return self._source.core().trace(tracer)

    def flush(self, timeout: Duration = "10s") -> bool:
        """Flush queued writes within `timeout`. Returns whether all were written.

        Write-through queues nothing, so it returns at once.
        """
        return not self._source.core().flush(parse_duration(timeout, name="timeout"))

    def journal(self) -> list[JournalEntry]:
        """The queued writes on this host's disk that some tier does not have yet.

        Those of other processes too. Only write-back with the durability `"disk"` journals.

        Raises:
            JournalError: The journal can't be read.
        """
        return self._source.core().stack.journal().entries()

    def retry_parked(self, keys: Container[str] | None = None) -> int:
        """Queue the parked writes once more. Returns how many.

        Args:
            keys: The keys to retry; by default all. Keys of views have the view's prefix.

        Raises:
            JournalError: The journal can't be read or written.
        """
        return self._source.core().flusher.retry(keys)

    def drop_parked(self, keys: Container[str] | None = None) -> int:
        """Remove the parked writes from the journal. Returns how many.

        Args:
            keys: The keys to drop; by default all.

        Raises:
            JournalError: The journal can't be read or written.
        """
        stack = self._source.core().stack
        return stack.journal().drop_parked(stack.record_tiers, keys)

    def close(self, timeout: Duration = "10s") -> list[str]:
        """Flush within `timeout` and release every resource. Using the cache again raises.

        Returns:
            The keys of the queued writes that did not reach every tier in time; they are logged too.
            Those with the durability `"disk"` are in the journal, for the next process.
        """
        left = self._source.core().flush(parse_duration(timeout, name="timeout"))
        self._source.close()
        return left

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _repr_html_(self) -> str:
        return self.stats()._repr_html_()
