"""The two faces of a cache, as far as `tiered_cache.decorators` uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tiered_cache._face.async_core import AsyncCore
    from tiered_cache._face.core_source import CoreSource
    from tiered_cache._face.live_hits import FunctionHits
    from tiered_cache.contracts import Codec
    from tiered_cache.units import TTL

__all__ = ["AwaitedCache", "SyncCache"]

R = TypeVar("R")


class SyncCache(Protocol):
    """A synchronous cache, as far as `cached` uses it: a `TieredCache`."""

    @property
    def codec(self) -> Codec:
        """The codec of the cache."""
        ...

    def get_or_compute(
        self,
        key: str,
        compute: Callable[[], R],
        ttl: TTL = None,
        tags: Iterable[str] = (),
        scope: str | None = None,
        force: bool = False,
    ) -> R:
        """As of `TieredCache`."""
        ...

    def delete(self, key: str) -> bool:
        """As of `TieredCache`."""
        ...

    def _function_hits(self, name: str) -> FunctionHits: ...


class AwaitedCache(Protocol):
    """An asynchronous cache, as far as `async_cached` uses it: an `AsyncTieredCache`."""

    _source: CoreSource

    async def get_or_compute(
        self,
        key: str,
        compute: Callable[[], Awaitable[R]],
        ttl: TTL = None,
        tags: Iterable[str] = (),
        scope: str | None = None,
        force: bool = False,
    ) -> R:
        """As of `AsyncTieredCache`."""
        ...

    async def delete(self, key: str) -> bool:
        """As of `AsyncTieredCache`."""
        ...

    def _function_hits(self, name: str) -> FunctionHits: ...

    async def _side(self) -> AsyncCore: ...
