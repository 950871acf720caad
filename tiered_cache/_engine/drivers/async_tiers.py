"""The effects on tiers and the journal, performed for the tasks of an event loop."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tiered_cache._engine.drivers.tiers import BaseDriver
from tiered_cache._engine.effects import (
    OK,
    Clear,
    ClearJournal,
    Delete,
    DeleteMany,
    Fence,
    ForgetJournal,
    Read,
    ReadHeads,
    ReadMany,
    Reply,
    Scan,
    Write,
    WriteJournal,
    WriteMany,
)

if TYPE_CHECKING:
    from tiered_cache._engine.drivers.loop_home import LoopHome
    from tiered_cache._engine.drivers.tiers import TierDriver
    from tiered_cache._engine.effects import Effect
    from tiered_cache._engine.stack import Stack

__all__ = ["AsyncTierDriver"]


class AsyncTierDriver(BaseDriver):
    """Performs effects with the resources of a loop: awaited, or in one of its threads.

    Args:
        stack: The stack.
        sync: Performs an effect in the calling thread.
    """

    def __init__(self, stack: Stack, sync: TierDriver) -> None:
        super().__init__(stack)
        self._sync = sync
        self._quick = [level.offers.quick for level in stack.levels]
        self._performers: dict[type, Any] = {
            Read: self._read,
            ReadMany: self._read_many,
            ReadHeads: self._read_heads,
            Write: self._put,
            WriteMany: self._put_many,
            Delete: self._delete,
            DeleteMany: self._delete_many,
            Clear: self._clear,
            Fence: self._in_thread,
            Scan: self._in_thread,
            WriteJournal: self._in_thread,
            ClearJournal: self._in_thread,
            ForgetJournal: self._in_thread,
        }

    async def _in_thread(self, home: LoopHome, effect: Effect) -> Any:
        return await home.in_thread(self._sync.perform, effect)

    async def _read(self, home: LoopHome, effect: Read) -> Reply:
        return await home.reads(self._levels[effect.level]).reply(effect.key)

    async def _read_many(self, home: LoopHome, effect: ReadMany) -> Reply:
        level = self._levels[effect.level]
        queued, keys = self.queued_replies(effect)
        if not keys:
            return queued
        reply = await home.call(level, "get_many", None, "get_many", keys)
        if queued.value and reply.status == OK:
            return reply._replace(value={**reply.value, **queued.value})
        return reply

    async def _read_heads(self, home: LoopHome, effect: ReadHeads) -> Reply:
        level = self._levels[effect.level]
        if len(effect.keys) > 1:
            return await home.call(level, "get_many", None, "get_heads", effect.keys)
        (key,) = effect.keys
        reply = await home.heads(level).reply(key)
        return reply._replace(value={key: reply.value}) if reply.status == OK else reply

    async def _put(self, home: LoopHome, effect: Write) -> Reply:
        index, key, item, counter = effect
        level = self._levels[index]
        if counter == "promotions":
            return await home.promotions(level).reply(key, effect)
        reply = await home.call(level, "put", key, "put", key, item)
        return level.finish_put(key, item, counter, reply)

    async def _put_many(self, home: LoopHome, effect: WriteMany) -> Reply:
        level = self._levels[effect.level]
        reply = await home.call(level, "put_many", None, "put_many", effect.items)
        return level.finish_put_many(effect.items, effect.counter, reply)

    async def _delete(self, home: LoopHome, effect: Delete) -> Reply:
        level, key = self._levels[effect.level], effect.key
        return level.finish_delete([key], await home.call(level, "delete", key, "delete", key))

    async def _delete_many(self, home: LoopHome, effect: DeleteMany) -> Reply:
        level = self._levels[effect.level]
        reply = await home.call(level, "delete_many", None, "delete_many", effect.keys)
        return level.finish_delete(effect.keys, reply)

    async def _clear(self, home: LoopHome, effect: Clear) -> Reply:
        level = self._levels[effect.level]
        if effect.progress is None:
            reply = await home.call(level, "clear", None, "clear", effect.prefix)
        else:
            ask = partial(level.call, "clear", None, level.clear, effect.prefix, effect.progress)
            reply = await home.in_thread(ask)
        return level.finish_clear(effect.prefix, reply)
