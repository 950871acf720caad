"""The cache: a stack of tiers behind one synchronous face."""

# pyright: reportPrivateUsage=false
# Both faces of a cache share private members.
from __future__ import annotations

from inspect import CO_COROUTINE
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from tiered_cache._engine.plans.get_or_compute import get_or_compute
from tiered_cache._engine.plans.get_or_compute_many import get_or_compute_many
from tiered_cache._engine.plans.inspect import exists, explain
from tiered_cache._engine.plans.read import look_again, look_up, look_up_many
from tiered_cache._engine.plans.recompute import recompute
from tiered_cache._engine.terms import Work
from tiered_cache._face.answers import fresh_value, fresh_values, to_lookup
from tiered_cache._face.arguments import refused_compute, terms_of
from tiered_cache._face.changes import Changes
from tiered_cache._face.core_source import BuiltOnce, CoreSource
from tiered_cache._face.live_hits import MISSING
from tiered_cache.decorators import cached
from tiered_cache.keys import MAX_KEY_BYTES, check_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tiered_cache._face.core import Core
    from tiered_cache.decorators import Cached
    from tiered_cache.results import Explanation, Lookup
    from tiered_cache.units import TTL

__all__ = ["TieredCache"]

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


class TieredCache(Changes):
    """A read-through cache over one or more tiers, fastest first.

    A lookup asks the tiers from first to last. The first that holds a fresh value answers, and the
    value is copied into the tiers above, with its remaining lifetime. A value that no tier holds is
    computed once and written as the write policy says.

    A fault of a tier never reaches the caller: it is a miss, a counter and a log line. A key is a
    non-empty `str` of at most 64 KiB; anything else raises `InvalidKeyError`. A `ttl` is a number of
    seconds, a `timedelta`, a string such as `"10m"`, or a function that gives one of these for the
    value. `None` is the cache's default, which is no limit unless set. Zero, negative numbers and
    NaN raise `InvalidDurationError`.

    A logger `tiered_cache` at level DEBUG when the cache is built logs each hit and miss.

    Args:
        tiers: The tiers, such as `[MemoryTier(), DiskTier()]`. A tier belongs to one cache.
        namespace: Keeps this cache's keys apart in stores that others use too.
        writing: The write policy; by default `WriteThrough()`.
        promotion: The promotion policy; by default `Always()`.
        admission: The admission policy of every tier, or of single tiers by their name; by
            default everything may enter.
        default_ttl: The lifetime of values that are stored without one.
        expiry: The expiry policies, asked in turn for the lifetime of each new value.
        refreshing: The refresh policy; by default a hit has no further effect.
        single_flight: The scope of shared computations; by default all processes and hosts that
            share the tiers.
        coherence: How it follows changes by others in shared tiers; by default a change elsewhere
            is seen within 2 seconds.
        stale_for: How long after its lifetime `get_or_compute` serves a value while it is recomputed
            in the background.
        max_ttl: The longest that single tiers keep a value fresh, by tier name.
        statistics: The statistics policy; by default `Counters()`.
        codec: Turns values into records; by default the `auto` serializer with this host's signing
            key.
        types: Types that records may contain: classes, or functions that take a
            `contracts.TypeRegistry`. Installed packages declare theirs by themselves.
        strict: Raise the faults of tiers instead of counting them.
        clock: The source of time.
        failures_to_open: Faults in a row after which a tier is skipped.
        probe_interval: How long a tier is skipped before it is probed.

    Raises:
        ConfigurationError: The options don't make a cache; the message names the remedy.
        TierUnavailableError: The only tier can't be reached. With several, the cache starts
            without those that can't, logs it once, and retries them.

    All methods are safe to call from any thread, and after a fork.
    """

    __slots__ = ()

    def _begin(self) -> None:
        self._source.core()

    @classmethod
    def from_settings(cls, name: str = "default") -> TieredCache:
        """The stack `name` of the settings: variables, files, defaults.

        Raises:
            ConfigurationError: The settings are wrong; it lists every mistake.
        """
        from tiered_cache.config import build_stack

        return build_stack(name)

    @classmethod
    def deferred(cls, build: Callable[[], TieredCache]) -> Self:
        """A cache that is built when it is first used, and that `rebuild` can replace."""
        return cls._over(CoreSource(BuiltOnce(lambda: _core_of(build()))), "")

    def rebuild(self, build: Callable[[], TieredCache]) -> None:
        """Close the current cache, and become the one that `build` makes at the next use."""
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
        core, key = self._source.current or self._source.core(), self._full(key)
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
        force: bool = False,
    ) -> T:
        """The value of `key`, computed by `compute()` where no tier holds a fresh one.

        The result is stored under `ttl` and `tags`, together with the seconds that it took. An
        exception of `compute` is raised, and nothing is stored. A `set` or `delete` during the
        computation wins: the result does not overwrite it (law 4).

        Concurrent misses share one computation (law 2). `scope` sets the callers that share it:
        `"thread"`, `"host"` or `"cluster"`, instead of the cache's `SingleFlight`.

        Give `ttl`, `tags`, `scope` and `force` by name. They are not keyword-only, because CPython
        calls functions with keyword-only parameters more slowly, by a tenth of a hit.

        Args:
            key: The key.
            compute: A function without arguments.
            ttl: The lifetime of the result.
            tags: The tags of the result.
            scope: The scope of the computation.
            force: Compute although a fresh value may be stored, and replace it; see `refresh`.

        Raises:
            ConfigurationError: `compute` is not a function, or an async function.

        Cost: like `get`; on a miss, the time of the tiers, of `compute` and of the write policy.
        """
        try:
            node = self._live[key]
            if self._now() < (held := node.value).until and not force:
                node.visits += 1
                next(self._hits)
                hit: T = held.value
                return hit
        except (KeyError, TypeError):
            pass
        if not callable(compute) or _is_awaited(compute):
            raise refused_compute(key, compute)
        core, key = self._source.current or self._source.core(), self._full(key)
        stack = core.stack
        if ttl is None and not tags and scope is None:
            terms = stack.default_terms
        else:
            terms = terms_of(stack, ttl, tags, scope)
        work = Work(compute, terms)
        if force:
            with core.span(key):
                forced: T = core.run(recompute(stack, key, work))
            return forced
        if self._prefix:
            hit = self._hit_in_view(core, key)
            if hit is not MISSING:
                return hit
        if core.tracer is None:
            value: T = core.run(get_or_compute(stack, key, work))
        else:
            with core.span(key) as tell:
                value = core.run(get_or_compute(stack, key, work, tell))
        return value

    def refresh(
        self,
        key: str,
        compute: Callable[[], T],
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        scope: str | None = None,
    ) -> T:
        """Compute `key` and store the result, even where a fresh value is stored.

        It is `get_or_compute(..., force=True)`. Other callers that miss the key meanwhile share the
        computation. A `set` or `delete` during the computation wins.
        """
        return self.get_or_compute(key, compute, ttl, tags, scope, force=True)

    def lookup(self, key: str) -> Lookup:
        """The outcome of a lookup of `key`: status, value, tier, age and remaining lifetime.

        It counts and promotes like `get`. It tells a stored `None`, a miss and an error apart, and
        serves a stale value.
        """
        core, key = self._source.core(), self._full(key)
        return to_lookup(core.run(look_up(core.stack, key)))

    def peek(self, key: str) -> Lookup:
        """Like `lookup`, but promotes and counts nothing, and serves only a fresh value."""
        core, key = self._source.core(), self._full(key)
        return to_lookup(core.run(look_again(core.stack, key)))

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those of `keys` that some tier holds fresh.

        Each tier is asked once, for the keys that are still missing.
        """
        core, full = self._source.core(), self._full_keys(keys)
        found = core.run(look_up_many(core.stack, full))
        return {self._short(key): value for key, value in fresh_values(found)}

    def get_or_compute_many(
        self,
        keys: Iterable[str],
        compute_many: Callable[[Sequence[str]], Mapping[str, T]],
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        scope: str | None = None,
    ) -> dict[str, T]:
        """The values of `keys`. Those that no tier holds fresh are computed in one call.

        With `stale_for`, stale values are served as by `get_or_compute`; they are recomputed in one
        call in the background.

        Args:
            keys: The keys.
            compute_many: Given the missing keys, returns their values by key; keys that it leaves
                out are left out of the result.
            ttl: The lifetime of the computed values.
            tags: The tags of the computed values.
            scope: As for `get_or_compute`. A key that another caller computes already is left to it;
                keys that it leaves out are computed in a further call.
        """
        core, full = self._source.core(), self._full_keys(keys)

        def compute(missing: Sequence[str]) -> dict[str, T]:
            asked = [self._short(key) for key in missing]
            made = compute_many(asked)
            return {self._prefix + key: made[key] for key in asked if key in made}

        work = Work(compute, terms_of(core.stack, ttl, tags, scope), is_many=True)
        values: dict[str, T] = core.run(get_or_compute_many(core.stack, full, work))
        return {self._short(key): value for key, value in values.items()}

    def exists(self, key: str) -> bool:
        """Whether some tier holds a fresh value. Promotes nothing and counts nothing."""
        core, key = self._source.core(), self._full(key)
        return core.run(exists(core.stack, key))

    def __contains__(self, key: str) -> bool:
        return self.exists(key)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with `prefix` and that some tier holds, each once.

        Costs a walk over every tier, and memory for the keys seen. Views have their own keys.
        """
        core, prefix = self._source.core(), self._full_prefix(prefix)
        core.check_open()
        return self._walk(core, prefix)

    def _full(self, key: str) -> str:
        # The first test of `check_key` in place: nearly every key passes it.
        if type(key) is str and key.isascii() and key[:1] >= " " and len(key) <= MAX_KEY_BYTES:
            return self._prefix + key
        return self._prefix + check_key(key)

    def explain(self, key: str) -> list[Explanation]:
        """Each tier's explanation for `key`, fastest first. Promotes nothing and counts nothing."""
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
        """Cache the results of a function: `@cache.cached` or `@cache.cached(ttl="1d")`.

        `tiered_cache.decorators.cached` documents the options and the key. The function gets
        `key_for(…)`, `refresh(…)`, `invalidate(…)` and `uncached`.
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


def _is_awaited(compute: Callable[..., object]) -> bool:
    """Whether `compute` is an `async def` function."""
    code = getattr(compute, "__code__", None)
    return code is not None and bool(code.co_flags & CO_COROUTINE)


def _core_of(cache: TieredCache) -> Core:
    return cache._source.core()
