"""Gathering the requests of a loop's tasks in one turn, so that each tier is asked once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from tiered_cache._engine.drivers.detached_task import DetachedTask
from tiered_cache._engine.effects import OK, UNREADABLE, Reply, Write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from tiered_cache._engine.drivers.event_loop import EventLoop
    from tiered_cache._engine.level import Level
    from tiered_cache._engine.plans.search import Search

__all__ = ["MAX_KEYS", "HeadBatch", "LookupBatch", "PutBatch", "ReadBatch", "TierCaller"]

MAX_KEYS = 125
"""Keys handled in one go: so that the loop goes round again after some milliseconds."""


class TierCaller(Protocol):
    """A loop that can call tiers."""

    @property
    def loop(self) -> EventLoop:
        """The loop."""
        ...

    async def call(
        self, level: Level, operation: str, key: str | None, method: str, *args: Any
    ) -> Reply:
        """The reply of a tier to a call of its method."""
        ...


class _TierBatch:
    """The requests to one tier in one turn of a loop, of any number of tasks.

    A detached task makes them, so that cancelling one requester leaves the others alone.
    """

    def __init__(self, caller: TierCaller, level: Level) -> None:
        self._caller = caller
        self._level = level
        self._wanted: dict[str, Any] = {}
        self._replies: dict[str, Reply] = {}
        self._error: BaseException | None = None
        self._over = anyio.Event()
        self.is_sent = False
        caller.loop.soon(self._send)

    async def reply(self, key: str, wanted: Any = None) -> Reply:
        """The tier's reply for one key; the first request for a key counts."""
        self._wanted.setdefault(key, wanted)
        await self._over.wait()
        if self._error is not None and key not in self._replies:
            raise self._error
        return self._replies[key]

    def _send(self) -> None:
        self.is_sent = True
        self._caller.loop.start(self._ask_all)

    async def _ask_all(self) -> None:
        try:
            keys = list(self._wanted)
            for start in range(0, len(keys), MAX_KEYS):
                await self._ask(keys[start : start + MAX_KEYS])
        except BaseException as error:
            self._error = error
            if not isinstance(error, Exception):
                raise
        finally:
            self._over.set()

    async def _ask(self, keys: Sequence[str]) -> None:
        raise NotImplementedError

    def _share(self, keys: Sequence[str], reply: Reply, answers: dict[str, Any]) -> None:
        """Give each key its part of one reply."""
        seconds = reply.seconds / len(keys)
        for key in keys:
            self._replies[key] = reply._replace(value=answers.get(key), seconds=seconds)


class ReadBatch(_TierBatch):
    """Keys to be read."""

    async def _ask(self, keys: Sequence[str]) -> None:
        call, level = self._caller.call, self._level
        if len(keys) > 1:
            reply = await call(level, "get_many", None, "get_many", keys)
            if reply.status != UNREADABLE:
                self._share(keys, reply, reply.value if reply.status == OK else {})
                return
        # One by one also where one unreadable record spoiled the reply for all.
        for key in keys:
            self._replies[key] = await call(level, "get", key, "get", key)


class HeadBatch(_TierBatch):
    """Keys of which the heads are to be read."""

    async def _ask(self, keys: Sequence[str]) -> None:
        call, level = self._caller.call, self._level
        reply = await call(level, "get_many", None, "get_heads", keys)
        if reply.status == UNREADABLE and len(keys) > 1:
            for key in keys:
                await self._ask([key])
            return
        self._share(keys, reply, reply.value if reply.status == OK else {})


class PutBatch(_TierBatch):
    """Promotions to be written, as effects. Two for one key copy the same record: one is written."""

    async def _ask(self, keys: Sequence[str]) -> None:
        call, level = self._caller.call, self._level
        items = {key: self._wanted[key].item for key in keys}
        if len(keys) == 1:
            (key,) = keys
            self._replies[key] = await call(level, "put", key, "put", key, items[key])
        else:
            reply = await call(level, "put_many", None, "put_many", items)
            stored = reply.value if reply.status == OK else ()
            self._share(keys, reply, {key: key in stored for key in keys})
        for key in keys:
            effect: Write = self._wanted[key]
            reply = self._replies[key]
            self._replies[key] = level.finish_put(key, effect.item, effect.counter, reply)


class LookupBatch:
    """The keys that the tasks of a loop look up in one turn, by one plan for some hundred keys.

    One plan for each key would take twice as long, even if the plans shared their reads.

    Args:
        loop: The loop.
        look_up: Runs the plan.
    """

    def __init__(
        self,
        loop: EventLoop,
        look_up: Callable[[Sequence[str]], Awaitable[Mapping[str, Search]]],
    ) -> None:
        self._loop = loop
        self._look_up = look_up
        self._open: DetachedTask[Mapping[str, Search]] | None = None
        self._keys: dict[str, None] = {}

    async def find(self, key: str) -> Search | None:
        """The result for `key`; `None` if another task looks it up in this turn.

        Each lookup is counted, so that two of them can't share one.
        """
        task = self._open
        if task is None or len(self._keys) == MAX_KEYS:
            self._keys = {}
            task = self._open = DetachedTask(self._loop, partial(self._run, self._keys))
        elif key in self._keys:
            return None
        self._keys[key] = None
        return (await task.result())[key]

    async def _run(self, keys: dict[str, None]) -> Mapping[str, Search]:
        if self._keys is keys:
            self._open = None
        return await self._look_up(list(keys))
