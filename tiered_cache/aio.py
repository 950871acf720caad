"""The cache for `async` programs: the same methods, awaited."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, overload

from tiered_cache._engine.plans.get_or_compute import get_or_compute
from tiered_cache._engine.plans.get_or_compute_many import get_or_compute_many
from tiered_cache._engine.plans.inspect import exists, explain
from tiered_cache._engine.plans.read import look_again, look_up_many
from tiered_cache._engine.plans.recompute import recompute
from tiered_cache._engine.terms import Work
from tiered_cache._face.answers import fresh_value, fresh_values, to_lookup
from tiered_cache._face.arguments import refused_compute, terms_of
from tiered_cache._face.async_operations import AsyncOperations
from tiered_cache._face.live_hits import MISSING
from tiered_cache.cache import TieredCache
from tiered_cache.decorators import async_cached

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Coroutine,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from tiered_cache.decorators import AsyncCached
    from tiered_cache.results import Explanation, Lookup, WriteResult
    from tiered_cache.units import TTL, Duration

__all__ = ["AsyncTieredCache"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_KEYS_IN_GO = 500


class AsyncTieredCache(AsyncOperations):
    """A `TieredCache` whose methods are awaited, under `asyncio` and `trio`.

    Make it with the arguments of `TieredCache`, from the settings, or `of` a cache. It shares
    everything with the synchronous face of the same cache, `sync`: tiers, statistics and the
    computations under way. Methods take, return and raise the same as those of `TieredCache`.

    A hit in a memory tier does not suspend the task. Redis is awaited under `asyncio`. Every other
    tier that may block is asked in one of at most 16 threads; under `trio`, Redis too. The lookups of
    a loop's tasks in one of its turns are asked of each tier in one go.

    A cancelled caller returns at once, without harm to others. A change that it began is finished. Its
    computation goes on in a task of its own while other callers wait for it, and is cancelled when
    none does.

    The first use opens the tiers, in a thread. Safe to use from any number of event loops, in any
    thread, together or in turn, and after a fork; a loop releases its connections when it ends.
    Needs the extra `[async]`.
    """

    __slots__ = ()

    @classmethod
    def of(cls, cache: TieredCache) -> Self:
        """The asynchronous face of `cache`, which may be a view."""
        return cls._over(cache._source, cache._prefix)

    @classmethod
    def from_settings(cls, name: str = "default") -> Self:
        """The stack `name` of the settings, which are read at the first use."""
        return cls.of(TieredCache.deferred(lambda: TieredCache.from_settings(name)))

    @property
    def sync(self) -> TieredCache:
        """The synchronous face of the same cache. Its methods block: call them from other threads."""
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
        force: bool = False,
    ) -> T:
        """The value of `key`, computed by `await compute()` where no tier holds a fresh one.

        Concurrent misses of tasks and threads share one computation, through either face. Its result
        or exception reaches them all; a cancellation concerns only the cancelled task.

        Args:
            key: The key.
            compute: An async function without arguments. It runs in a task of its own, in a copy of
                the caller's context.
            ttl: The lifetime of the result.
            tags: The tags of the result.
            scope: The scope of the computation, as for `TieredCache.get_or_compute`.
            force: Compute although a fresh value may be stored, and replace it.

        Raises:
            ConfigurationError: `compute` is not a function, or its result can't be awaited.
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
        if not callable(compute):
            raise refused_compute(key, compute)
        side, key = await self._side(), self._full(key)
        work = Work(compute, terms_of(side.stack, ttl, tags, scope))
        if force:
            with side.core.span(key):
                forced: T = await side.run(recompute(side.stack, key, work))
            return forced
        if self._prefix:
            hit = self._hit_in_view(side.core, key)
            if hit is not MISSING:
                return hit
        with side.core.span(key) as tell:
            value: T = await side.run(get_or_compute(side.stack, key, work, tell))
        return value

    async def refresh(
        self,
        key: str,
        compute: Callable[[], Awaitable[T]],
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        scope: str | None = None,
    ) -> T:
        """Compute `key` and store the result, as `TieredCache.refresh` does."""
        return await self.get_or_compute(key, compute, ttl, tags, scope, force=True)

    async def lookup(self, key: str) -> Lookup:
        """The outcome of a lookup of `key`: status, value, tier, age and remaining lifetime."""
        side, key = await self._side(), self._full(key)
        return to_lookup(await side.look_up(key))

    async def peek(self, key: str) -> Lookup:
        """Like `lookup`, but promotes and counts nothing, and serves only a fresh value."""
        side, key = await self._side(), self._full(key)
        return to_lookup(await side.run(look_again(side.stack, key)))

    async def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those of `keys` that some tier holds fresh."""
        side, full = await self._side(), self._full_keys(keys)
        found = await side.run(look_up_many(side.stack, full))
        return {self._short(key): value for key, value in fresh_values(found)}

    async def get_or_compute_many(
        self,
        keys: Iterable[str],
        compute_many: Callable[[Sequence[str]], Awaitable[Mapping[str, T]]],
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        scope: str | None = None,
    ) -> dict[str, T]:
        """The values of `keys`. Those that no tier holds fresh are computed in one awaited call."""
        side, full = await self._side(), self._full_keys(keys)

        async def compute(missing: Sequence[str]) -> dict[str, T]:
            asked = [self._short(key) for key in missing]
            made = await compute_many(asked)
            return {self._prefix + key: made[key] for key in asked if key in made}

        work = Work(compute, terms_of(side.stack, ttl, tags, scope), is_many=True)
        values: dict[str, T] = await side.run(get_or_compute_many(side.stack, full, work))
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
        """Store `value` under `key`. Returns the outcome in each tier."""
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
        """Remove `key` from every tier. Returns whether any held it."""
        side = await self._side()
        return bool(await side.change(*self._to_delete(side.stack, key)))

    async def delete_many(self, keys: Iterable[str]) -> int:
        """Remove `keys` from every tier. Returns the most that any one tier held."""
        side = await self._side()
        return int(await side.change(*self._to_delete_many(side.stack, keys)))

    async def exists(self, key: str) -> bool:
        """Whether some tier holds a fresh value. Promotes nothing and counts nothing."""
        side, key = await self._side(), self._full(key)
        return await side.run(exists(side.stack, key))

    async def touch(self, key: str, ttl: Duration | None) -> bool:
        """Give `key` the lifetime `ttl` from now on. Returns whether some tier held it fresh."""
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
        """Stop serving values stored under one of `tags`, or being computed for them."""
        side = await self._side()
        result: WriteResult = await side.change(*self._to_invalidate_tags(side.stack, tags))
        return result

    async def explain(self, key: str) -> list[Explanation]:
        """Each tier's explanation for `key`, fastest first. Promotes nothing and counts nothing."""
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
        """Cache the results of an `async def` function: `@cache.cached` or `@cache.cached(…)`.

        Options and keys are those of `TieredCache.cached`. Use `cache.sync.cached` for other
        functions.
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


def _take(walk: Iterator[str]) -> list[str]:
    return list(islice(walk, _KEYS_IN_GO))
