"""Talking to a Redis server, without doing it: what is asked, and what the answers mean.

A talk is a generator that yields what to ask the server and is sent the replies, so that threads and
event loops, which ask in different ways, have the same conversations.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from redis.exceptions import MovedError, NoScriptError, OutOfMemoryError, ResponseError

from tiered_cache.errors import CorruptRecordError, RecordRefusedError, TierUnavailableError
from tiered_cache.tiers.redis._script import with_its_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Ask", "Command", "Speaker", "Talk", "converse"]

Command = tuple[object, ...] | bytes
"""A command and its arguments; or all of that as it goes over the wire, where it is asked most often."""


class Ask(NamedTuple):
    """Commands for the server, sent in one go.

    Attributes:
        commands: The commands.
        extra_s: How many seconds they may take beyond the tier's own deadline.
    """

    commands: Sequence[Command]
    extra_s: float = 0.0


T = TypeVar("T")
Talk = Generator[Ask, list[Any], T]


def converse(exchange: Callable[[Sequence[Command], float], list[Any]], talk: Talk[T]) -> T:
    """Have a talk by `exchange`, which gives the replies to commands; what it comes to."""
    try:
        ask = next(talk)
        while True:
            try:
                replies = exchange(ask.commands, ask.extra_s)
            except TierUnavailableError as error:
                ask = talk.throw(error)
            else:
                ask = talk.send(replies)
    except StopIteration as stop:
        result: T = stop.value
        return result


class Speaker:
    """Asks, and says in our words what the server says is wrong.

    Args:
        tier: The tier's name.
        address: Where the server is, for people.
    """

    def __init__(self, tier: str, address: str) -> None:
        self.address = address
        self._tier = tier

    def ask(self, operation: str, key: str | None, command: Command) -> Talk[Any]:
        """The reply to one command."""
        (reply,) = yield from self.exchange(operation, key, [command])
        return self.checked(reply, operation, key)

    def ask_all(
        self, operation: str, key: str, commands: Sequence[Command], extra_s: float = 0.0
    ) -> Talk[list[Any]]:
        """The replies to several commands."""
        replies = yield from self.exchange(operation, key, commands, extra_s)
        return [self.checked(reply, operation, key) for reply in replies]

    def exchange(
        self, operation: str, key: str | None, commands: Sequence[Command], extra_s: float = 0.0
    ) -> Talk[list[Any]]:
        """The replies as they are; a script that the server does not know is sent to it."""
        try:
            replies = yield Ask(commands, extra_s)
            if commands[-1][0] != "EVALSHA":
                return replies
            unknown = [at for at, each in enumerate(replies) if isinstance(each, NoScriptError)]
            if unknown:
                again = yield Ask([with_its_text(commands[at]) for at in unknown])
                for at, reply in zip(unknown, again, strict=True):
                    replies[at] = reply
            return replies
        except TierUnavailableError as error:
            error.tier, error.operation, error.key = self._tier, operation, key
            raise

    def checked(self, reply: Any, operation: str, key: str | None) -> Any:
        """`reply`, or our word for what the server says is wrong."""
        if not isinstance(reply, ResponseError):
            return reply
        details = {"tier": self._tier, "operation": operation, "key": key}
        if "WRONGTYPE" in str(reply):
            msg = "the server holds something else than a string under this key"
            raise CorruptRecordError(msg, **details) from reply
        if isinstance(reply, OutOfMemoryError):
            msg = "the server is at its maxmemory and evicts nothing: give it an eviction policy such as allkeys-lru"
            raise RecordRefusedError(msg, **details) from reply
        if isinstance(reply, MovedError):
            msg = f"{self.address} is a node of a cluster: begin the URL with redis+cluster:// and name some of its nodes"
            raise TierUnavailableError(msg, **details) from reply
        raise TierUnavailableError(f"{self.address}: {reply}", **details) from reply
