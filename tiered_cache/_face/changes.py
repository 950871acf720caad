"""The synchronous methods that change values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache._face.operations import Operations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tiered_cache.results import WriteResult
    from tiered_cache.units import TTL, Duration

__all__ = ["Changes"]


class Changes(Operations):
    """The part of `TieredCache` that changes values."""

    __slots__ = ()

    def set(
        self,
        key: str,
        value: Any,
        *,
        ttl: TTL = None,
        tags: Iterable[str] = (),
        durability: str | None = None,
    ) -> WriteResult:
        """Store `value` under `key`. Returns the outcome in each tier.

        Where it does not land, because a tier is away or refuses it, an older value is not served
        either.

        Args:
            key: The key.
            value: The value.
            ttl: Its lifetime.
            tags: Its tags.
            durability: The durability of this write, instead of the write-back policy's: `"memory"`,
                `"disk"` or `"remote"`. Write-through always writes every tier at once.

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

        Where a write-back queue has no room for all of them, the values stored before it raises stay.
        """
        core = self._source.core()
        results: dict[str, WriteResult] = core.change(
            *self._to_set_many(core.stack, values, ttl, tags, durability)
        )
        return results

    def delete(self, key: str) -> bool:
        """Remove `key` from every tier. Returns whether any held it.

        Raises:
            QueueFullError: As for `set`: nothing was removed. Only with write-back, which queues
                deletions for tiers that are away.
        """
        core = self._source.core()
        return bool(core.change(*self._to_delete(core.stack, key)))

    def delete_many(self, keys: Iterable[str]) -> int:
        """Remove `keys` from every tier. Returns the most that any one tier held."""
        core = self._source.core()
        return int(core.change(*self._to_delete_many(core.stack, keys)))

    def touch(self, key: str, ttl: Duration | None) -> bool:
        """Give `key` the lifetime `ttl` from now on. Returns whether some tier held it fresh.

        `None` is no limit.
        """
        core = self._source.core()
        return bool(core.change(*self._to_touch(core.stack, key, ttl)))

    def clear(self, progress: Callable[[str, int], object] | None = None) -> int:
        """Remove every key of this cache or view, views of it included, in bounded steps.

        Other namespaces in the same stores are left alone.

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
        """Stop serving values stored under one of `tags`, or being computed for them.

        In this cache with all its views, in every process and host that shares its tiers. Each entry
        holds the versions that its tags had, and these change; the entries themselves are evicted or
        expire like all others.

        Cost: a write to each tier for each tag, for any number of entries.

        Returns:
            The outcome in each tier. Where a shared tier failed, its other users were not told.
        """
        core = self._source.core()
        result: WriteResult = core.change(*self._to_invalidate_tags(core.stack, tags))
        return result
