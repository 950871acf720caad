"""Gathering what the tasks of a loop ask of tiers in one turn, so that a tier is asked once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from tiered_cache._engine.drivers.background_task import Errand
from tiered_cache._engine.effects import OK, UNREADABLE, Put, Reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from tiered_cache._engine.drivers.loop_home import Home
    from tiered_cache._engine.level import Level
    from tiered_cache._engine.plans.seek import Sought

__all__ = ["MAX_KEYS", "Lookups", "PutBatch", "ReadBatch"]

MAX_KEYS = 125
"""How many keys are dealt with in one go: so that the loop goes round again after some milliseconds."""


class _Batch:
    """What a tier is to be asked in one turn of a loop, for any number of tasks.

    It is asked in a task of nobody's, so that cancelling one of them leaves the others alone.
    """

    def __init__(self, home: Home, level: Level) -> None:
        self._home = home
        self._level = level
        self._wanted: dict[str, Any] = {}
        self._replies: dict[str, Reply] = {}
        self._error: BaseException | None = None
        self._over = anyio.Event()
        self.is_sent = False
        home.loop.soon(self._send)

    async def reply(self, key: str, wanted: Any = None) -> Reply:
        """What the tier says to one of the keys; the first one to want something of it decides."""
        self._wanted.setdefault(key, wanted)
        await self._over.wait()
        if self._error is not None and key not in self._replies:
            raise self._error
        return self._replies[key]

    def _send(self) -> None:
        self.is_sent = True
        self._home.loop.start(self._ask_all)

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
            value = answers.get(key)
            self._replies[key] = Reply(reply.status, value, seconds, reply.now_s, reply.reason)


class ReadBatch(_Batch):
    """Keys to be read."""

    async def _ask(self, keys: Sequence[str]) -> None:
        home, level = self._home, self._level
        if len(keys) > 1:
            reply = await home.call(level, "get_many", None, "get_many", keys)
            if reply.status != UNREADABLE:
                self._share(keys, reply, reply.value if reply.status == OK else {})
                return
        # One by one also where a record of some key made it impossible to read them together.
        for key in keys:
            self._replies[key] = await home.call(level, "get", key, "get", key)


class PutBatch(_Batch):
    """Promotions to be written, as the effects that ask for them.

    Of two for one key there is one write: they copy the same record.
    """

    def __init__(self, home: Home, level: Level, done: Callable[[Put, Reply], object]) -> None:
        super().__init__(home, level)
        self._done = done

    async def _ask(self, keys: Sequence[str]) -> None:
        home, level = self._home, self._level
        items = {key: self._wanted[key].item for key in keys}
        if len(keys) == 1:
            (key,) = keys
            self._replies[key] = await home.call(level, "put", key, "put", key, items[key])
        else:
            reply = await home.call(level, "put_many", None, "put_many", items)
            stored = reply.value if reply.status == OK else ()
            self._share(keys, reply, {key: key in stored for key in keys})
        for key in keys:
            self._done(self._wanted[key], self._replies[key])


class Lookups:
    """The keys that the tasks of a loop look up in one turn, by one plan for some hundred keys.

    One plan for each key, which would share what they read, takes twice as long.

    Args:
        home: The loop.
        look_up: Runs the plan.
    """

    def __init__(
        self, home: Home, look_up: Callable[[Sequence[str]], Awaitable[Mapping[str, Sought]]]
    ) -> None:
        self._home = home
        self._look_up = look_up
        self._open: Errand[Mapping[str, Sought]] | None = None
        self._keys: dict[str, None] = {}

    async def sought(self, key: str) -> Sought | None:
        """What the lookup of `key` comes to; `None` if another task looks it up in this turn.

        Each lookup counts, so one can't be that of two.
        """
        errand = self._open
        if errand is None or len(self._keys) == MAX_KEYS:
            self._keys = {}
            errand = self._open = Errand(self._home.loop, partial(self._run, self._keys))
        elif key in self._keys:
            return None
        self._keys[key] = None
        return (await errand.result())[key]

    async def _run(self, keys: dict[str, None]) -> Mapping[str, Sought]:
        if self._keys is keys:
            self._open = None
        return await self._look_up(list(keys))
