"""A client of a Redis server without I/O: the steps of an operation, and the meaning of replies.

Steps are a generator: it yields batches of commands and is sent their replies. Threads and event
loops do I/O in different ways and run the same steps.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from redis.exceptions import MovedError, NoScriptError, OutOfMemoryError, ResponseError

from tiered_cache.errors import CorruptRecordError, RecordRefusedError, TierUnavailableError
from tiered_cache.tiers.redis._resp import with_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.tiers.redis._resp import Command

__all__ = ["CommandBatch", "RedisClient", "Steps", "run"]


class CommandBatch(NamedTuple):
    """Commands for one round trip.

    Attributes:
        commands: The commands.
        extra_s: Seconds that they may take beyond the tier's own deadline.
    """

    commands: Sequence[Command]
    extra_s: float = 0.0


T = TypeVar("T")
Steps = Generator[CommandBatch, list[Any], T]


def run(exchange: Callable[[Sequence[Command], float], list[Any]], steps: Steps[T]) -> T:
    """The result of `steps`; `exchange` sends each batch and returns its replies."""
    try:
        batch = next(steps)
        while True:
            try:
                replies = exchange(batch.commands, batch.extra_s)
            except TierUnavailableError as error:
                batch = steps.throw(error)
            else:
                batch = steps.send(replies)
    except StopIteration as stop:
        result: T = stop.value
        return result


class RedisClient:
    """Builds the steps of single requests, and turns error replies into this package's exceptions.

    Args:
        tier: The tier's name.
        address: The server's address, without credentials, for messages.

    Thread-safe: it has no state.
    """

    def __init__(self, tier: str, address: str) -> None:
        self.address = address
        self._tier = tier

    def call(self, operation: str, key: str | None, command: Command) -> Steps[Any]:
        """The reply to one command."""
        (reply,) = yield from self.send(operation, key, [command])
        return self.check(reply, operation, key)

    def call_all(
        self, operation: str, key: str | None, commands: Sequence[Command], extra_s: float = 0.0
    ) -> Steps[list[Any]]:
        """The replies to several commands."""
        replies = yield from self.send(operation, key, commands, extra_s)
        return [self.check(reply, operation, key) for reply in replies]

    def send(
        self, operation: str, key: str | None, commands: Sequence[Command], extra_s: float = 0.0
    ) -> Steps[list[Any]]:
        """The replies, error replies included. A script unknown to the server is sent in full."""
        try:
            replies = yield CommandBatch(commands, extra_s)
            if commands[-1][0] != "EVALSHA":
                return replies
            unknown = [at for at, each in enumerate(replies) if isinstance(each, NoScriptError)]
            if unknown:
                again = yield CommandBatch([with_source(commands[at]) for at in unknown])
                for at, reply in zip(unknown, again, strict=True):
                    replies[at] = reply
            return replies
        except TierUnavailableError as error:
            error.tier, error.operation, error.key = self._tier, operation, key
            raise

    def check(self, reply: Any, operation: str, key: str | None) -> Any:
        """`reply`; an error reply is raised as an exception of this package."""
        if not isinstance(reply, ResponseError):
            return reply
        details = {"tier": self._tier, "operation": operation, "key": key}
        if "WRONGTYPE" in str(reply):
            msg = "the server holds no string under this key"
            raise CorruptRecordError(msg, **details) from reply
        if isinstance(reply, OutOfMemoryError):
            msg = "the server is at its maxmemory and evicts nothing: set maxmemory-policy, for example to allkeys-lru"
            raise RecordRefusedError(msg, **details) from reply
        if isinstance(reply, MovedError):
            msg = f"{self.address} is a node of a cluster: begin the URL with redis+cluster:// and name some of its nodes"
            raise TierUnavailableError(msg, **details) from reply
        raise TierUnavailableError(f"{self.address}: {reply}", **details) from reply
