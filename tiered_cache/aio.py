"""The cache for `async` programs: the same face, awaited."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from tiered_cache._engine.plans.get_or_compute import get_or_compute, get_or_compute_many
from tiered_cache._engine.plans.inspect import exists, explain
from tiered_cache._engine.plans.read import look_again, look_up_many
from tiered_cache._face.answers import fresh_value, fresh_values, to_lookup
from tiered_cache._face.arguments import check_reach, terms_of
from tiered_cache._face.base import Face
from tiered_cache._face.core import MISSING
from tiered_cache.cache import TieredCache
from tiered_cache.decorators import async_cached
from tiered_cache.errors import MissingExtraError
from tiered_cache.units import TTL, Duration, parse_duration

try:
    import anyio.to_thread

    from tiered_cache._face.async_core import AsyncCore, async_core_of
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "anyio":
        raise
    _MSG = "AsyncTieredCache needs anyio: pip install 'tiered-cache[async]'"
    raise MissingExtraError(_MSG) from error

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Container,
        Coroutine,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from tiered_cache.contracts.tracer import Tracer
    from tiered_cache.decorators import AsyncCached
    from tiered_cache.events import Event
    from tiered_cache.results import Explanation, JournalEntry, Lookup, WriteResult
    from tiered_cache.stats.fleet.fleet_stats import FleetStats
    from tiered_cache.stats.fleet.reports import Totals
    from tiered_cache.stats.snapshot.cache_stats import CacheStats

__all__ = ["AsyncTieredCache"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_KEYS_IN_GO = 500


class AsyncTieredCache(Face):
    """A `TieredCache` whose methods are awaited, under `asyncio` and `trio`.

    It is made with the arguments of `TieredCache`, from the settings, or of a cache that there is,
    and shares everything with the synchronous face of the same cache, `sync`: tiers, statistics and
    the computations under way. Methods take and return what those of `TieredCache` do, and raise
    the same.

    A hit in a memory tier suspends nobody. Redis is awaited under `asyncio`; every other tier that
    may wait is asked in one of at most 16 threads, Redis too under `trio`. What the tasks of a loop
    look up in one of its turns is asked of each tier in one go.

    A caller that is cancelled goes away at once, and nobody else is disturbed: a change that it began
    is made nevertheless, and what it computes goes on while others wait for it, in a task of its own. A
    computation that nobody waits for any more is cancelled.

    Its tiers are opened when it is first used, in a thread.
    Safe to use from any number of event loops, in any thread, one after the other or together, and
    after a fork; a loop lets go of its connections when it ends. Needs the extra `[async]`.
    """

    __slots__ = ()

    @classmethod
    def of(cls, cache: TieredCache) -> Self:
        """The asynchronous face of `cache`, or of the view that it is."""
        return cls._over(cache._source, cache._prefix)

    @classmethod
    def from_settings(cls, name: str = "default") -> Self:
        """The stack called `name` in the settings; they are read when it is first used."""
        return cls.of(TieredCache.deferred(lambda: TieredCache.from_settings(name)))

    @property
    def sync(self) -> TieredCache:
        """The synchronous face of the same cache. Its methods block: they are for other threads."""
        return TieredCache._over(self._source, self._prefix)

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`, or `default` where no tier holds a fresh one."""
        try:
            node = self._live[key]
            if self._now() < (held := node.value).until:
                node.visits += 1
                next(self._hits)
                return held.value
        except (KeyError, TypeError):
            pass
        side, key = await self._side(), self._full(key)
        value = self._hit_in_view(side.core, key) if self._prefix else MISSING
        if value is MISSING:
            value = fresh_value(await side.look_up(key), default)
        return value

    async def get_or_compute(
        self,
        key: str,
        compute: Callable[[], Awaitable[T]],
        ttl: TTL = None,
        tags: Iterable[str] = (),
        scope: str | None = None,
    ) -> T:
        """The value of `key`; where no tier holds a fresh one, what `await compute()` returns.

        Of the tasks and threads that miss a key together one computes, whichever face they use. An
        outcome reaches them all, but for a cancellation, which only concerns the one who is cancelled.

        Args:
            key: The key.
            compute: Called without arguments; it runs in a task of its own, in a copy of the context
                of the caller.
            ttl: The lifetime of what it returns.
            tags: The tags of it.
            scope: Among whom one computes, as for `TieredCache.get_or_compute`.
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
        side, key = await self._side(), self._full(key)
        terms = terms_of(side.stack, ttl, tags, scope)
        if self._prefix:
            hit = self._hit_in_view(side.core, key)
            if hit is not MISSING:
                return hit
        # The plan is given what the driver will await; that of a synchronous caller is called.
        awaited: Any = compute
        with side.core.span(key) as tell:
            value: T = await side.run(get_or_compute(side.stack, key, awaited, terms, tell))
        return value

    async def lookup(self, key: str) -> Lookup:
        """How a lookup of `key` ends: status, value, tier, age and remaining lifetime."""
        side, key = await self._side(), self._full(key)
        return to_lookup(await side.look_up(key))

    async def peek(self, key: str) -> Lookup:
        """Like `lookup`, but promotes and counts nothing, and hands out a fresh value only."""
        side, key = await self._side(), self._full(key)
        return to_lookup(await side.run(look_again(side.stack, key)))

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those of `keys` that some tier holds fresh."""
        side, full = await self._side(), self._full_keys(keys)
        sought = await side.run(look_up_many(side.stack, full))
        return {self._short(key): value for key, value in fresh_values(sought)}

    async def get_or_compute_many(
        self,
        keys: Iterable[str],
        compute_many: Callable[[Sequence[str]], Awaitable[Mapping[str, T]]],
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        scope: str | None = None,
    ) -> dict[str, T]:
        """The values of `keys`; those that no tier holds fresh are computed in one awaited call."""
        side, full = await self._side(), self._full_keys(keys)

        async def compute(missing: Sequence[str]) -> dict[str, T]:
            asked = [self._short(key) for key in missing]
            made = await compute_many(asked)
            return {self._prefix + key: made[key] for key in asked if key in made}

        terms = terms_of(side.stack, ttl, tags, scope)
        # The plan is given what the driver will await; that of a synchronous caller is called.
        awaited: Any = compute
        values: dict[str, T] = await side.run(get_or_compute_many(side.stack, full, awaited, terms))
        return {self._short(key): value for key, value in values.items()}

    async def set(
        self,
        key: str,
        value: Any,
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        durability: str | None = None,
    ) -> WriteResult:
        """Store `value` under `key`, and say what became of it in each tier."""
        side = await self._side()
        result: WriteResult = await side.change(
            *self._to_set(side.stack, key, value, ttl, tags, durability)
        )
        return result

    async def set_many(
        self,
        values: Mapping[str, Any],
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        durability: str | None = None,
    ) -> dict[str, WriteResult]:
        """Store each of `values` as `set` does, each tier in one go."""
        side = await self._side()
        results: dict[str, WriteResult] = await side.change(
            *self._to_set_many(side.stack, values, ttl, tags, durability)
        )
        return results

    async def delete(self, key: str) -> bool:
        """Remove `key` from every tier; whether any held it."""
        side = await self._side()
        return bool(await side.change(*self._to_delete(side.stack, key)))

    async def delete_many(self, keys: Iterable[str]) -> int:
        """Remove `keys` from every tier; the most that any one tier held."""
        side = await self._side()
        return int(await side.change(*self._to_delete_many(side.stack, keys)))

    async def exists(self, key: str) -> bool:
        """Whether some tier holds a fresh value; promotes nothing and counts nothing."""
        side, key = await self._side(), self._full(key)
        return await side.run(exists(side.stack, key))

    async def touch(self, key: str, ttl: Duration | None) -> bool:
        """Give `key` the lifetime `ttl` from now on; whether some tier held it fresh."""
        side = await self._side()
        return bool(await side.change(*self._to_touch(side.stack, key, ttl)))

    async def keys(self, prefix: str = "") -> AsyncIterator[str]:
        """The keys that begin with `prefix` and that some tier holds, each once."""
        side, prefix = await self._side(), self._full_prefix(prefix)
        side.core.check_open()
        walk = self._walk(side.core, prefix)
        while some := await side.in_thread(_take, walk):
            for key in some:
                yield key

    async def clear(self, progress: Callable[[str, int], object] | None = None) -> int:
        """Remove every key of this cache or view, views of it included.

        `progress` is called in a thread.
        """
        side = await self._side()
        return int(await side.change(*self._to_clear(side.stack, "", progress)))

    async def invalidate_prefix(
        self, prefix: str, progress: Callable[[str, int], object] | None = None
    ) -> int:
        """Remove every key that begins with `prefix`, in bounded steps, as `clear` does."""
        side = await self._side()
        return int(await side.change(*self._to_clear(side.stack, prefix, progress)))

    async def invalidate_tags(self, *tags: str) -> WriteResult:
        """Serve nothing any more that was stored under one of `tags`, or is being computed for them."""
        side = await self._side()
        result: WriteResult = await side.change(*self._to_invalidate_tags(side.stack, tags))
        return result

    async def explain(self, key: str) -> list[Explanation]:
        """What each tier says of `key`, fastest first; promotes nothing and counts nothing."""
        side, key = await self._side(), self._full(key)
        return await side.run(explain(side.stack, key))

    @overload
    def cached(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncCached[P, R]: ...
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
    ) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], AsyncCached[P, R]]: ...

    def cached(
        self,
        function: Callable[P, Coroutine[Any, Any, R]] | None = None,
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        key: Callable[..., str] | None = None,
        version: str = "",
        ignore: Iterable[str] = (),
        scope: str | None = None,
    ) -> AsyncCached[P, R] | Callable[[Callable[P, Coroutine[Any, Any, R]]], AsyncCached[P, R]]:
        """Keep the results of an `async def` function here: `@cache.cached` or `@cache.cached(…)`.

        The options are those of `TieredCache.cached`, and so are the keys: a function that is no
        coroutine function belongs to `cache.sync.cached`.
        """

        def decorate(function: Callable[P, Coroutine[Any, Any, R]]) -> AsyncCached[P, R]:
            return async_cached(
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

    async def stats(self) -> CacheStats:
        """What the cache and each tier did so far, whoever asked. Asks each tier that works how full it is."""
        side = await self._side()
        return await side.in_thread(side.core.stats)

    get_stats = stats

    async def fleet(self, since: Duration | None = None, within: str | None = None) -> FleetStats:
        """What all processes did together that share a tier with this cache, dead ones included."""
        since_s = None if since is None else parse_duration(since, name="since")
        side = await self._side()
        return await side.in_thread(side.core.fleet, since_s, check_reach(within))

    async def fleet_past(self, reach: str) -> list[Totals]:
        """What all processes together had done up to each of some moments of the last day."""
        side = await self._side()
        return await side.in_thread(side.core.fleet_past, reach)

    async def trace(self, tracer: Tracer) -> Callable[[], None]:
        """Have `tracer` begin a span for each `get_or_compute`, as `TieredCache.trace` does."""
        return (await self._side()).core.trace(tracer)

    async def on_event(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` for each event; what is returned takes it off again.

        It is called in whichever thread did the work, so mostly by the loop: it must be quick.
        """
        return (await self._side()).core.listen(listener)

    async def flush(self, timeout: Duration = "10s") -> bool:
        """Have queued writes written, at most for `timeout`; whether they all were."""
        timeout_s = parse_duration(timeout, name="timeout")
        side = await self._side()
        return not await side.in_thread(side.core.flush, timeout_s)

    async def journal(self) -> list[JournalEntry]:
        """The queued writes on this host's disk that some tier does not have yet."""
        return await (await self._side()).in_thread(self.sync.journal)

    async def retry_parked(self, keys: Container[str] | None = None) -> int:
        """Queue the writes once more that were given up; how many there are."""
        return await (await self._side()).in_thread(self.sync.retry_parked, keys)

    async def drop_parked(self, keys: Container[str] | None = None) -> int:
        """Forget the writes for good that were given up; how many there were."""
        return await (await self._side()).in_thread(self.sync.drop_parked, keys)

    async def close(self, timeout: Duration = "10s") -> list[str]:
        """Flush within `timeout` and let go of everything; using the cache again raises.

        The synchronous face is closed as well, and the views are.

        Returns:
            The keys of the queued writes that did not reach every tier in time.
        """
        timeout_s = parse_duration(timeout, name="timeout")
        side = await self._side()
        left = await side.in_thread(side.core.flush, timeout_s)
        await side.close()
        await anyio.to_thread.run_sync(self._source.close)
        return left

    aclose = close

    async def __aenter__(self) -> Self:
        await self._side()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _side(self) -> AsyncCore:
        return await async_core_of(self._source)


def _take(walk: Iterator[str]) -> list[str]:
    return list(islice(walk, _KEYS_IN_GO))
