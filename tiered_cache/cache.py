"""The cache: a stack of tiers behind one face."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from tiered_cache._engine.asking import exists, explain
from tiered_cache._engine.computing import get_or_compute, get_or_compute_many
from tiered_cache._engine.deleting import clear, delete, delete_many
from tiered_cache._engine.reading import look_again, look_up, look_up_many
from tiered_cache._engine.stack import StackOptions
from tiered_cache._engine.tagging import invalidate_tags
from tiered_cache._engine.terms import Terms
from tiered_cache._engine.touching import touch
from tiered_cache._engine.writing import store, store_many
from tiered_cache.checking import check_policy, check_tiers
from tiered_cache.clock import SYSTEM_CLOCK
from tiered_cache.codec import RecordCodec
from tiered_cache.coherence import Coherence
from tiered_cache.core import MISSING, NO_NODES, Core, CoreSource, FunctionHits
from tiered_cache.decorators import cached
from tiered_cache.errors import ConfigurationError, InvalidKeyError
from tiered_cache.keys import TAG_PREFIX, VIEW_SEPARATOR, check_key, check_namespace
from tiered_cache.outcomes import Explanation, Lookup, LookupStatus, WriteResult
from tiered_cache.single_flight import Scope, SingleFlight
from tiered_cache.units import TTL, Duration, parse_duration, parse_lifetime
from tiered_cache_policies.contracts import Durability
from tiered_cache_policies.promotion.always import Always
from tiered_cache_policies.statistics.counters import Counters
from tiered_cache_policies.writing.write_through import WriteThrough

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from tiered_cache._engine.seeking import Sought
    from tiered_cache.clock import Clock
    from tiered_cache.contracts import Codec, Tier
    from tiered_cache.decorators import Cached
    from tiered_cache.events import Event
    from tiered_cache.outcomes import JournalEntry
    from tiered_cache.stats.fleet import FleetStats
    from tiered_cache.stats.reports import Totals
    from tiered_cache.stats.snapshot import CacheStats
    from tiered_cache_policies.contracts import (
        AdmissionPolicy,
        ExpiryPolicy,
        PromotionPolicy,
        RefreshPolicy,
        StatisticsPolicy,
        WritePolicy,
    )

__all__ = ["TieredCache"]

T = TypeVar("T")
_NO_TAGS: frozenset[str] = frozenset()

P = ParamSpec("P")
R = TypeVar("R")


class TieredCache:
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

    __slots__ = ("__weakref__", "_hits", "_live", "_now", "_prefix", "_source", "_view_hit")

    def __init__(
        self,
        tiers: Sequence[Tier],
        *,
        namespace: str = "default",
        writing: WritePolicy | None = None,
        promotion: PromotionPolicy | None = None,
        admission: AdmissionPolicy | Mapping[str, AdmissionPolicy] | None = None,
        default_ttl: Duration | None = None,
        expiry: ExpiryPolicy | Sequence[ExpiryPolicy] = (),
        refreshing: RefreshPolicy | None = None,
        single_flight: SingleFlight | None = None,
        coherence: Coherence | None = None,
        stale_for: Duration = 0,
        max_ttl: Mapping[str, Duration] | None = None,
        statistics: StatisticsPolicy | None = None,
        codec: Codec | None = None,
        strict: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        failures_to_open: int = 5,
        probe_interval: Duration = "5s",
    ) -> None:
        if type(failures_to_open) is not int or failures_to_open < 1:
            msg = f"failures_to_open={failures_to_open!r} must be a whole number of at least 1"
            raise ConfigurationError(msg)
        check_namespace(namespace)
        check_tiers(tiers)
        options = StackOptions(
            namespace=namespace,
            codec=RecordCodec(namespace) if codec is None else codec,
            writing=WriteThrough() if writing is None else check_policy("writing", writing),
            promotion=Always() if promotion is None else check_policy("promotion", promotion),
            admission=_by_tier(tiers, admission),
            expiry=_in_turn(expiry),
            refreshing=None if refreshing is None else check_policy("refreshing", refreshing),
            single_flight=SingleFlight() if single_flight is None else single_flight,
            coherence=Coherence() if coherence is None else coherence,
            stale_for_s=parse_duration(stale_for, name="stale_for"),
            longest_s={
                name: parse_lifetime(longest, name="max_ttl")
                for name, longest in _named("max_ttl", tiers, max_ttl or {}).items()
            },
            clock=clock,
            default_lifetime_s=parse_lifetime(default_ttl, name="default_ttl"),
            failures_to_open=failures_to_open,
            probe_interval_s=parse_duration(probe_interval, name="probe_interval"),
            strict=strict,
        )
        counting = Counters() if statistics is None else check_policy("statistics", statistics)
        self._join(CoreSource(lambda: Core(tiers, options, counting)), "")
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
        cache = cls.__new__(cls)
        cache._join(CoreSource(lambda: _core_of(build())), "")
        return cache

    def rebuild(self, build: Callable[[], TieredCache]) -> None:
        """Close what there is, and become what `build` makes, at the next use."""
        self._source.replace(lambda: _core_of(build()))

    def _join(self, source: CoreSource, prefix: str) -> None:
        self._source = source
        self._prefix = prefix
        self._live = NO_NODES
        self._now = SYSTEM_CLOCK.monotonic
        self._view_hit: Callable[[], object] = _count_nothing
        source.add(self)

    def refresh(self, core: Core | None) -> None:
        """Take the live nodes of `core` for the inlined hits: for the core's own use."""
        if core is None:
            self._live = NO_NODES
            return
        self._now = core.monotonic
        self._hits = core.live_hits.counter
        self._live = NO_NODES if self._prefix else core.live
        self._view_hit = core.view_hits(self._prefix) if self._prefix else _count_nothing

    @property
    def codec(self) -> Codec:
        """What turns values into records here: `cache.codec.registry.register(…)` adds a type."""
        return self._source.core().stack.codec

    @property
    def staleness_bound(self) -> float:
        """The seconds for which a value may still be served here that was changed elsewhere.

        Counted from the moment when the change is in a tier that both share; 0.0 where no tier
        stands above a shared one, `inf` where nothing bounds it.
        """
        return self._source.core().stack.following.bound_s

    def namespace(self, name: str) -> TieredCache:
        """A view with keys of its own, in the same tiers and with the same settings and statistics.

        Args:
            name: Letters, digits, `_`, `-` and `.`, at most 64 of them.
        """
        check_namespace(name)
        view = TieredCache.__new__(TieredCache)
        separator = VIEW_SEPARATOR
        view._join(self._source, f"{self._prefix}{separator}{name}{separator}")
        return view

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
        core, key = self._core_and_key(key)
        value = self._hit_in_view(core, key) if self._prefix else MISSING
        if value is MISSING:
            found = core.run(look_up(core.stack, key)).finding
            fresh = found is not None and found.outcome == "hits"
            value = found.entry.value if fresh and found and found.entry else default
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
        core, key = self._core_and_key(key)
        terms = _terms(core, ttl, tags, scope)
        if self._prefix:
            hit = self._hit_in_view(core, key)
            if hit is not MISSING:
                return hit
        return core.run(get_or_compute(core.stack, key, compute, terms))

    def lookup(self, key: str) -> Lookup:
        """How a lookup of `key` ends: status, value, tier, age and remaining lifetime.

        It counts and promotes like `get`. Only here a stored `None`, a miss and an error can be
        told apart, and a stale value is handed out.
        """
        core, key = self._core_and_key(key)
        return _to_lookup(core.run(look_up(core.stack, key)))

    def peek(self, key: str) -> Lookup:
        """Like `lookup`, but for people who look into the cache: promotes and counts nothing.

        Only a fresh value is handed out.
        """
        core, key = self._core_and_key(key)
        return _to_lookup(core.run(look_again(core.stack, key)))

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those of `keys` that some tier holds fresh.

        Each tier is asked once, for the keys that are still missing.
        """
        core, full = self._core_and_keys(keys)
        sought = core.run(look_up_many(core.stack, full))
        return {self._short(key): value for key, value in _fresh_values(sought)}

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
        core, full = self._core_and_keys(keys)

        def compute(missing: Sequence[str]) -> dict[str, T]:
            asked = [self._short(key) for key in missing]
            made = compute_many(asked)
            return {self._prefix + key: made[key] for key in asked if key in made}

        plan = get_or_compute_many(core.stack, full, compute, _terms(core, ttl, tags, scope))
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
        core, key = self._core_and_key(key)
        terms = _terms(core, ttl, tags)
        return core.change([key], store(core.stack, key, value, terms, _level_of(durability)))

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
        core, full = self._core_and_keys(values)
        named = {key: values[self._short(key)] for key in full}
        plan = store_many(core.stack, named, _terms(core, ttl, tags), _level_of(durability))
        results = core.change(full, plan)
        return {self._short(key): result for key, result in results.items()}

    def delete(self, key: str) -> bool:
        """Remove `key` from every tier; whether any held it.

        Raises:
            QueueFullError: As for `set`: nothing was removed. Only with write-back, which queues what
                a tier that is away must still be told.
        """
        core, key = self._core_and_key(key)
        return core.change([key], delete(core.stack, key))

    def delete_many(self, keys: Iterable[str]) -> int:
        """Remove `keys` from every tier; the most that any one tier held."""
        core, full = self._core_and_keys(keys)
        return core.change(full, delete_many(core.stack, full)) if full else 0

    def exists(self, key: str) -> bool:
        """Whether some tier holds a fresh value; promotes nothing and counts nothing."""
        core, key = self._core_and_key(key)
        return core.run(exists(core.stack, key))

    def __contains__(self, key: str) -> bool:
        return self.exists(key)

    def touch(self, key: str, ttl: Duration | None) -> bool:
        """Give `key` the lifetime `ttl` from now on; whether some tier held it fresh.

        `None` is no limit.
        """
        lifetime_s = parse_lifetime(ttl)
        core, key = self._core_and_key(key)
        return core.change([key], touch(core.stack, key, lifetime_s, core.stack.clock.wall()))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with `prefix` and that some tier holds, each once.

        Costs a walk over every tier, and memory for the keys seen. Views have their own keys.
        """
        core, prefix = self._core_and_prefix(prefix)
        core.check_open()
        return self._walk(core, prefix)

    def _walk(self, core: Core, prefix: str) -> Iterator[str]:
        seen: set[str] = set()
        start = len(self._prefix)
        for level in core.stack.levels:
            for key in level.walk(prefix):
                if key not in seen and not key.startswith(VIEW_SEPARATOR, start):
                    seen.add(key)
                    yield key[start:]
        core.stack.tell()

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
        return core.change([], clear(core.stack, self._prefix, progress))

    def invalidate_prefix(
        self, prefix: str, progress: Callable[[str, int], object] | None = None
    ) -> int:
        """Remove every key that begins with `prefix`, in bounded steps, as `clear` does.

        Returns the most keys that any one tier held.
        """
        core, prefix = self._core_and_prefix(prefix)
        return core.change([], clear(core.stack, prefix, progress))

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
        names = sorted({check_key(tag) for tag in tags})
        keys = [TAG_PREFIX + name for name in names]
        return core.change(keys, invalidate_tags(core.stack, names))

    def explain(self, key: str) -> list[Explanation]:
        """What each tier says of `key`, fastest first; promotes nothing and counts nothing."""
        core, key = self._core_and_key(key)
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
        """What the cache and each tier did so far. Asks each tier how full it is."""
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
        if within not in (None, "cluster", "host", "process"):
            msg = f"within={within!r} must be 'cluster', 'host', 'process' or None"
            raise ConfigurationError(msg)
        return self._source.core().fleet(since_s, within)

    def fleet_past(self, reach: str) -> list[Totals]:
        """What all processes together had done up to each of some moments of the last day.

        Of the last quarter of an hour one a minute, and before that one for each half an hour. Only
        their counters are of use, and the difference of two says what happened in between.

        Args:
            reach: As `FleetStats` says; those of a single process keep no moments.
        """
        return self._source.core().fleet_past(reach)

    def _function_hits(self, name: str) -> FunctionHits:
        """What a wrapper of a function reads and counts its inlined hits by: for `cached`'s own use.

        Args:
            name: The function's; its keys are this, a colon and a digest.
        """
        face = FunctionHits(name, self._prefix)
        self._source.add(face)
        return face

    def on_event(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` for each event; what is returned takes it off again.

        While there are listeners, a hit in a memory tier costs a call into it. A listener that
        raises is logged once and changes nothing.
        """
        return self._source.core().listen(listener)

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

    def __repr__(self) -> str:
        view = self._prefix.replace(VIEW_SEPARATOR, "/").strip("/")
        return f"<TieredCache {view}>" if view else "<TieredCache>"

    def _hit_in_view(self, core: Core, key: str) -> Any:
        value = core.live_hit(key)
        if value is not MISSING:
            self._view_hit()
        return value

    def _core_and_key(self, key: str) -> tuple[Core, str]:
        return self._source.core(), self._prefix + check_key(key)

    def _core_and_prefix(self, prefix: str) -> tuple[Core, str]:
        if not isinstance(prefix, str):
            msg = f"A prefix must be a string, not {type(prefix).__name__}"
            raise InvalidKeyError(msg)
        return self._source.core(), self._prefix + prefix

    def _core_and_keys(self, keys: Iterable[str]) -> tuple[Core, list[str]]:
        if isinstance(keys, str):
            msg = "keys must be several keys, not one string: write [key]"
            raise InvalidKeyError(msg)
        unique = dict.fromkeys([check_key(key) for key in keys])
        return self._source.core(), [self._prefix + key for key in unique]

    def _short(self, key: str) -> str:
        return key[len(self._prefix) :]


def _count_nothing() -> None:
    """For a cache, whose hits are counted where they are read."""


def _core_of(cache: TieredCache) -> Core:
    return cache._source.core()


def _by_tier(
    tiers: Sequence[Tier], admission: AdmissionPolicy | Mapping[str, AdmissionPolicy] | None
) -> Mapping[str, AdmissionPolicy]:
    if admission is None:
        return {}
    if not isinstance(admission, Mapping):
        check_policy("admission", admission)
        return dict.fromkeys([tier.name for tier in tiers], admission)
    for policy in admission.values():
        check_policy("admission", policy)
    return _named("admission", tiers, admission)


def _in_turn(expiry: ExpiryPolicy | Sequence[ExpiryPolicy]) -> tuple[ExpiryPolicy, ...]:
    several = isinstance(expiry, Sequence) and not isinstance(expiry, str)
    policies: Any = expiry if several else (expiry,)
    return tuple([check_policy("expiry", each) for each in policies])


def _named(option: str, tiers: Sequence[Tier], by_name: Mapping[str, T]) -> Mapping[str, T]:
    """`by_name`, if each name is that of a tier."""
    names = [tier.name for tier in tiers]
    if not isinstance(by_name, Mapping):
        msg = f"{option}={by_name!r} must map names of tiers to values, such as {{{names[0]!r}: …}}"
        raise ConfigurationError(msg)
    for name in by_name:
        if name not in names:
            msg = f"{option}={name!r} is no tier of this cache: it has {', '.join(names)}"
            raise ConfigurationError(msg)
    return dict(by_name)


def _level_of(durability: str | None) -> Durability | None:
    if durability is None:
        return None
    try:
        return Durability(durability)
    except ValueError:
        msg = f"durability={durability!r} must be 'memory', 'disk' or 'remote'"
        raise ConfigurationError(msg) from None


def _terms(core: Core, ttl: TTL, tags: Iterable[str], scope: str | None = None) -> Terms:
    within = None if scope is None else Scope.of(scope)
    lifetime_of = None
    if ttl is None:
        lifetime_s = core.stack.options.default_lifetime_s
    elif callable(ttl):
        lifetime_s, lifetime_of = math.inf, ttl
    else:
        lifetime_s = parse_lifetime(ttl)
    if not tags:
        return Terms(lifetime_s, _NO_TAGS, lifetime_of, within)
    wanted: tuple[object, ...] = () if isinstance(tags, str) else (*tags,)
    names = frozenset([tag for tag in wanted if isinstance(tag, str) and tag])
    if len(names) < len({*wanted}) or not wanted:
        msg = "tags must be non-empty strings in a set, list or tuple, such as tags={'repo:x'}"
        raise InvalidKeyError(msg)
    for name in names:
        check_key(name)  # the versions of tags are kept under them
    return Terms(lifetime_s, names, lifetime_of, within)


def _fresh_values(sought: Mapping[str, Sought]) -> Iterator[tuple[str, Any]]:
    for key, each in sought.items():
        finding = each.finding
        if finding is not None and finding.entry is not None and finding.outcome == "hits":
            yield key, finding.entry.value


def _to_lookup(sought: Sought) -> Lookup:
    finding, level = sought.finding, sought.level
    if finding is None or finding.entry is None or level is None:
        return Lookup(LookupStatus.ERROR if sought.unsure else LookupStatus.MISS)
    entry = finding.entry
    return Lookup(
        LookupStatus.HIT if finding.outcome == "hits" else LookupStatus.STALE,
        entry.value,
        level.name,
        age_s=finding.age_s,
        remaining_s=finding.fresh_s,
        cost_s=entry.cost_s,
        tags=frozenset(entry.tags),
    )
