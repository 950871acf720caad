"""The cache: a stack of tiers behind one face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from tiered_cache._engine.plans.get_or_compute import get_or_compute, get_or_compute_many
from tiered_cache._engine.plans.inspect import exists, explain
from tiered_cache._engine.plans.read import look_again, look_up, look_up_many
from tiered_cache._face.answers import fresh_value, fresh_values, to_lookup
from tiered_cache._face.arguments import check_reach, terms_of
from tiered_cache._face.base import Face
from tiered_cache._face.core import MISSING, BuiltOnce, Core, CoreSource
from tiered_cache.decorators import cached
from tiered_cache.units import TTL, Duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

    from tiered_cache.contracts.tracer import Tracer
    from tiered_cache.decorators import Cached
    from tiered_cache.events import Event
    from tiered_cache.results import Explanation, JournalEntry, Lookup, WriteResult
    from tiered_cache.stats.fleet.fleet_stats import FleetStats
    from tiered_cache.stats.fleet.reports import Totals
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["TieredCache"]

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


class TieredCache(Face):
    """A read-through cache over one or more tiers, fastest first.

    A lookup asks the tiers from the first to the last; the first that holds a fresh value answers,
    and the value is copied into the tiers above, with the lifetime that it has left. A value that
    no tier holds is computed once and written by the write policy.

    What a tier does wrong never reaches the caller: it is a miss, a counter and a log line. A key
    is a non-empty `str` of at most 64 KiB; anything else raises `InvalidKeyError`. A `ttl` is
    seconds, a `timedelta` or a string such as `"10m"`, or a function that says one of these for the
    value; `None` is the cache's default, which by default is no limit; zero, negative numbers and
    NaN raise `InvalidDurationError`.

    Args:
        tiers: The tiers, such as `[MemoryTier(), DiskTier()]`. A tier belongs to one cache.
        namespace: Keeps this cache's keys apart in stores that others use too.
        writing: The write policy; by default `WriteThrough()`.
        promotion: The promotion policy; by default `Always()`.
        admission: The admission policy of every tier, or of single tiers by their name; by
            default everything may enter.
        default_ttl: The lifetime of values that are stored without one.
        expiry: The expiry policies, asked one after the other for the lifetime of each new value.
        refreshing: The refresh policy; by default a hit leads to nothing.
        single_flight: Among whom one computes a key and the others wait; by default among all
            who share the tiers.
        coherence: How it keeps up with what others change in the tiers that it shares with them;
            by default a change elsewhere is seen after 2 seconds at the latest.
        stale_for: How long after its lifetime a value is served by `get_or_compute` while it is
            computed anew in the background.
        max_ttl: The longest that single tiers keep anything fresh, by their name.
        statistics: The statistics policy; by default `Counters()`.
        codec: Turns values into records; by default the `auto` serializer with a signing key of
            this host.
        strict: Raise the faults of tiers instead of counting them.
        clock: Where the time comes from.
        failures_to_open: Faults in a row after which a tier is skipped.
        probe_interval: How long it is skipped before it is tried again.

    Raises:
        ConfigurationError: The options don't make a cache; the message says what to change.
        TierUnavailableError: The only tier can't be reached. With several, the cache starts
            without those that can't, says so once, and takes them in when they come.

    All methods are safe to call from any thread, and after a fork.
    """

    __slots__ = ()

    def _begin(self) -> None:
        self._source.core()

    @classmethod
    def from_settings(cls, name: str = "default") -> TieredCache:
        """The stack called `name` in the settings: variables, files, defaults.

        Raises:
            ConfigurationError: The settings are wrong; it lists every mistake.
        """
        from tiered_cache.config import build_stack

        return build_stack(name)

    @classmethod
    def deferred(cls, build: Callable[[], TieredCache]) -> Self:
        """A cache that is built when it is first used, and can be replaced by `rebuild`."""
        return cls._over(CoreSource(BuiltOnce(lambda: _core_of(build()))), "")

    def rebuild(self, build: Callable[[], TieredCache]) -> None:
        """Close what there is, and become what `build` makes, at the next use."""
        self._source.replace(BuiltOnce(lambda: _core_of(build())))

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`, or `default` where no tier holds a fresh one.

        Cost: a hit in a memory tier takes no lock and no call into the tier.
        """
        try:
            node = self._live[key]
            if self._now() < (held := node.value).until:
                node.visits += 1
                next(self._hits)
                return held.value
        except (KeyError, TypeError):
            pass
        core, key = self._source.core(), self._full(key)
        value = self._hit_in_view(core, key) if self._prefix else MISSING
        if value is MISSING:
            value = fresh_value(core.run(look_up(core.stack, key)), default)
        return value

    def get_or_compute(
        self,
        key: str,
        compute: Callable[[], T],
        ttl: TTL = None,
        tags: Iterable[str] = (),
        scope: str | None = None,
    ) -> T:
        """The value of `key`; where no tier holds a fresh one, what `compute()` returns.

        The result is stored under `ttl` and `tags`, and the seconds that it took are kept with it.
        What `compute` raises is raised, and nothing is stored. A value that changed while it was
        computed is not overwritten (law 4). Of those who miss a key together one computes, and the
        others wait for him (law 2): among whom, `scope` says for this call, `"thread"`, `"host"` or
        `"cluster"`, instead of the cache's `SingleFlight`.

        Give `ttl`, `tags` and `scope` by name. They are not keyword-only, because CPython calls a function
        that has such parameters by a slower way, which is a tenth of a hit.

        Cost: like `get`; on a miss, what the tiers, `compute` and the write policy take.
        """
        try:
            node = self._live[key]
            if self._now() < (held := node.value).until:
                node.visits += 1
                next(self._hits)
                hit: T = held.value
                return hit
        except (KeyError, TypeError):
            pass
        core, key = self._source.core(), self._full(key)
        terms = terms_of(core.stack, ttl, tags, scope)
        if self._prefix:
            hit = self._hit_in_view(core, key)
            if hit is not MISSING:
                return hit
        if core.tracer is None:
            return core.run(get_or_compute(core.stack, key, compute, terms))
        with core.span(key) as tell:
            return core.run(get_or_compute(core.stack, key, compute, terms, tell))

    def lookup(self, key: str) -> Lookup:
        """How a lookup of `key` ends: status, value, tier, age and remaining lifetime.

        It counts and promotes like `get`. Only here a stored `None`, a miss and an error can be
        told apart, and a stale value is handed out.
        """
        core, key = self._source.core(), self._full(key)
        return to_lookup(core.run(look_up(core.stack, key)))

    def peek(self, key: str) -> Lookup:
        """Like `lookup`, but for people who look into the cache: promotes and counts nothing.

        Only a fresh value is handed out.
        """
        core, key = self._source.core(), self._full(key)
        return to_lookup(core.run(look_again(core.stack, key)))

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those of `keys` that some tier holds fresh.

        Each tier is asked once, for the keys that are still missing.
        """
        core, full = self._source.core(), self._full_keys(keys)
        sought = core.run(look_up_many(core.stack, full))
        return {self._short(key): value for key, value in fresh_values(sought)}

    def get_or_compute_many(
        self,
        keys: Iterable[str],
        compute_many: Callable[[Sequence[str]], Mapping[str, T]],
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        scope: str | None = None,
    ) -> dict[str, T]:
        """The values of `keys`; those that no tier holds fresh are computed in one call.

        With `stale_for`, stale values are served as by `get_or_compute`; those to be computed anew are
        given to `compute_many` in one call as well, in the background.

        Args:
            keys: The keys.
            compute_many: Given the missing keys, returns their values by key; keys that it leaves
                out are left out of the result.
            ttl: The lifetime of the computed values.
            tags: The tags of the computed values.
            scope: As for `get_or_compute`. A key that another caller computes already is left to
                him; what he leaves out is computed in a further call.
        """
        core, full = self._source.core(), self._full_keys(keys)

        def compute(missing: Sequence[str]) -> dict[str, T]:
            asked = [self._short(key) for key in missing]
            made = compute_many(asked)
            return {self._prefix + key: made[key] for key in asked if key in made}

        plan = get_or_compute_many(
            core.stack, full, compute, terms_of(core.stack, ttl, tags, scope)
        )
        return {self._short(key): value for key, value in core.run(plan).items()}

    def set(
        self,
        key: str,
        value: Any,
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        durability: str | None = None,
    ) -> WriteResult:
        """Store `value` under `key`, and say what became of it in each tier.

        Where it does not land, because a tier is away or does not take it, an older value is not
        served either.

        Args:
            key: The key.
            value: The value.
            ttl: Its lifetime.
            tags: Its tags.
            durability: For this write, instead of the write-back policy's: `"memory"`, `"disk"` or
                `"remote"`. Write-through always writes everything at once.

        Raises:
            QueueFullError: The write-back queue had no room for 5 seconds; nothing was written.
        """
        core = self._source.core()
        result: WriteResult = core.change(
            *self._to_set(core.stack, key, value, ttl, tags, durability)
        )
        return result

    def set_many(
        self,
        values: Mapping[str, Any],
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        durability: str | None = None,
    ) -> dict[str, WriteResult]:
        """Store each of `values` as `set` does, each tier in one go.

        Where a write-back queue has no room for all of them, those that were stored before it raises
        stay.
        """
        core = self._source.core()
        results: dict[str, WriteResult] = core.change(
            *self._to_set_many(core.stack, values, ttl, tags, durability)
        )
        return results

    def delete(self, key: str) -> bool:
        """Remove `key` from every tier; whether any held it.

        Raises:
            QueueFullError: As for `set`: nothing was removed. Only with write-back, which queues what
                a tier that is away must still be told.
        """
        core = self._source.core()
        return bool(core.change(*self._to_delete(core.stack, key)))

    def delete_many(self, keys: Iterable[str]) -> int:
        """Remove `keys` from every tier; the most that any one tier held."""
        core = self._source.core()
        return int(core.change(*self._to_delete_many(core.stack, keys)))

    def exists(self, key: str) -> bool:
        """Whether some tier holds a fresh value; promotes nothing and counts nothing."""
        core, key = self._source.core(), self._full(key)
        return core.run(exists(core.stack, key))

    def __contains__(self, key: str) -> bool:
        return self.exists(key)

    def touch(self, key: str, ttl: Duration | None) -> bool:
        """Give `key` the lifetime `ttl` from now on; whether some tier held it fresh.

        `None` is no limit.
        """
        core = self._source.core()
        return bool(core.change(*self._to_touch(core.stack, key, ttl)))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with `prefix` and that some tier holds, each once.

        Costs a walk over every tier, and memory for the keys seen. Views have their own keys.
        """
        core, prefix = self._source.core(), self._full_prefix(prefix)
        core.check_open()
        return self._walk(core, prefix)

    def clear(self, progress: Callable[[str, int], object] | None = None) -> int:
        """Remove every key of this cache or view, views of it included, in bounded steps.

        Only this namespace is touched, whatever else the stores hold.

        Args:
            progress: Called after each step, some 500 keys, with the name of the tier and how many
                keys were removed from it so far; the slowest tier comes first.

        Returns:
            The most keys that any one tier held.
        """
        core = self._source.core()
        return int(core.change(*self._to_clear(core.stack, "", progress)))

    def invalidate_prefix(
        self, prefix: str, progress: Callable[[str, int], object] | None = None
    ) -> int:
        """Remove every key that begins with `prefix`, in bounded steps, as `clear` does.

        Returns the most keys that any one tier held.
        """
        core = self._source.core()
        return int(core.change(*self._to_clear(core.stack, prefix, progress)))

    def invalidate_tags(self, *tags: str) -> WriteResult:
        """Serve nothing any more that was stored under one of `tags`, or is being computed for them.

        In this cache with all its views, in every process and host that shares its tiers. Entries are
        not looked for: each holds the versions that its tags had, and these change. What was stored
        under them makes room like everything else.

        Cost: a write to each tier for each tag, whatever the number of entries.

        Returns:
            What became of it in each tier. Where one failed that others share, they were not told.
        """
        core = self._source.core()
        result: WriteResult = core.change(*self._to_invalidate_tags(core.stack, tags))
        return result

    def explain(self, key: str) -> list[Explanation]:
        """What each tier says of `key`, fastest first; promotes nothing and counts nothing."""
        core, key = self._source.core(), self._full(key)
        return core.run(explain(core.stack, key))

    @overload
    def cached(self, function: Callable[P, R], /) -> Cached[P, R]: ...
    @overload
    def cached(
        self,
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        key: Callable[..., str] | None = None,
        version: str = "",
        ignore: Iterable[str] = (),
        scope: str | None = None,
    ) -> Callable[[Callable[P, R]], Cached[P, R]]: ...

    def cached(
        self,
        function: Callable[P, R] | None = None,
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        key: Callable[..., str] | None = None,
        version: str = "",
        ignore: Iterable[str] = (),
        scope: str | None = None,
    ) -> Cached[P, R] | Callable[[Callable[P, R]], Cached[P, R]]:
        """Keep the results of a function here: `@cache.cached` or `@cache.cached(ttl="1d")`.

        The options are those of `tiered_cache.decorators.cached`, which also tells what the key
        is. The function gets `key_for(…)`, `invalidate(…)` and `uncached`.
        """

        def decorate(function: Callable[P, R]) -> Cached[P, R]:
            return cached(
                self,
                function,
                ttl=ttl,
                tags=tags,
                key=key,
                version=version,
                ignore=ignore,
                scope=scope,
            )

        return decorate if function is None else decorate(function)

    def stats(self) -> CacheStats:
        """What the cache and each tier did so far. Asks each tier that works how full it is."""
        return self._source.core().stats()

    get_stats = stats

    def fleet(self, since: Duration | None = None, within: str | None = None) -> FleetStats:
        """What all processes did together that share a tier with this cache, dead ones included.

        Those of all hosts where there is a Redis tier that answers, else those of this host where
        there is a disk tier, else this one only. The others' numbers are some seconds old.

        Args:
            since: For how long back, at most a day, such as `"15m"`: to a minute, `span_s` says
                what it came to. Without it, all that was ever counted.
            within: `"host"` to leave other hosts out.

        Cost: some milliseconds, and one more for each ten processes.
        """
        since_s = None if since is None else parse_duration(since, name="since")
        return self._source.core().fleet(since_s, check_reach(within))

    def fleet_past(self, reach: str) -> list[Totals]:
        """What all processes together had done up to each of some moments of the last day.

        Of the last quarter of an hour one a minute, and before that one for each half an hour. Only
        their counters are of use, and the difference of two says what happened in between.

        Args:
            reach: As `FleetStats` says; those of a single process keep no moments.
        """
        return self._source.core().fleet_past(reach)

    def on_event(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` for each event; what is returned takes it off again.

        While there are listeners, a hit in a memory tier costs a call into it. A listener that
        raises is logged once and changes nothing.
        """
        return self._source.core().listen(listener)

    def trace(self, tracer: Tracer) -> Callable[[], None]:
        """Have `tracer` begin a span for each `get_or_compute`; what is returned ends that.

        `tiered_cache.integrations.opentelemetry` has one. While there is a tracer, a hit in a memory tier
        costs a call into it, and the span besides.

        Raises:
            ConfigurationError: There is one already.
        """
        return self._source.core().trace(tracer)

    def flush(self, timeout: Duration = "10s") -> bool:
        """Have queued writes written, at most for `timeout`; whether they all were.

        Write-through queues nothing, so there is nothing to wait for.
        """
        return not self._source.core().flush(parse_duration(timeout, name="timeout"))

    def journal(self) -> list[JournalEntry]:
        """The queued writes on this host's disk that some tier does not have yet.

        Those of other processes as well. Only write-back with the durability `"disk"` journals.

        Raises:
            JournalError: The journal can't be read.
        """
        return self._source.core().stack.journal().entries()

    def retry_parked(self, keys: Container[str] | None = None) -> int:
        """Queue the writes once more that were given up; how many there are.

        Args:
            keys: Which of them; all where none are named. Those of views have the view's prefix.

        Raises:
            JournalError: The journal can't be read or written.
        """
        return self._source.core().retry_parked(keys)

    def drop_parked(self, keys: Container[str] | None = None) -> int:
        """Forget the writes for good that were given up; how many there were.

        Args:
            keys: Which of them; all where none are named.

        Raises:
            JournalError: The journal can't be read or written.
        """
        stack = self._source.core().stack
        return stack.journal().drop_parked(stack.record_tiers, keys)

    def close(self, timeout: Duration = "10s") -> list[str]:
        """Flush within `timeout` and let go of everything; using the cache again raises.

        Returns:
            The keys of the queued writes that did not reach every tier in time, which are logged
            as well. Those with the durability `"disk"` are in the journal, for the next process.
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


def _core_of(cache: TieredCache) -> Core:
    return cache._source.core()
