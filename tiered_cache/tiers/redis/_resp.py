"""RESP, the protocol of Redis: the wire form of commands, and an incremental parser of replies.

redis-py's parser reads line by line: microseconds a reply, and some 12 where each line is awaited.
hiredis allocates arrays by their announced length: 13 bytes stop every thread for seconds. Both
were rejected, with figures, in docs/design/decisions.md ("The RESP parser").

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from redis._parsers import base as _redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["MAX_KEYS", "Command", "ReplyParser", "Script", "pack_commands", "with_source"]

Command = tuple[object, ...] | bytes
"""A command with its arguments, or its wire form, which saves packing it on hot paths."""

MAX_KEYS = 500
"""Most keys in one round trip, and most that one `SCAN` asks for."""

_PIECE_BYTES = 65_536
_sources: dict[str, str] = {}
_END = b"\r\n"
_STRING, _INTEGER = b"$:"
_OTHER_STRINGS = b"=!"
_LONG_ERROR = ord("!")
_AGGREGATES = b"*~%>"
_MAP, _PUSH = b"%>"
_LONGEST_LINE = 65_536
_parse_error: Any = _redis.BaseParser.parse_error


class Script:
    """A Lua script, which the server runs as one step and knows by digest after the first call."""

    def __init__(self, source: str) -> None:
        self._digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        _sources[self._digest] = source

    def call(self, names: Sequence[bytes], arguments: Sequence[object]) -> Command:
        """The command that runs the script on the keys `names`."""
        return ("EVALSHA", self._digest, len(names), *names, *arguments)


def with_source(command: Command) -> Command:
    """The same script call, with the source in place of the digest."""
    return ("EVAL", _sources[str(command[1])], *command[2:])


def pack_commands(commands: Sequence[Command]) -> Iterator[bytes]:
    """The wire form of `commands`: RESP arrays, in pieces of some 64 KiB.

    The server works on one piece while the next is packed. redis-py's general packer takes a fifth
    of the time of a GET.
    """
    parts = []
    size = 0
    for command in commands:
        if isinstance(command, bytes):
            parts.append(command)
            size += len(command)
        else:
            parts.append(b"*%d\r\n" % len(command))
            for argument in command:
                if isinstance(argument, bytes):
                    parts.append(b"$%d\r\n%b\r\n" % (len(argument), argument))
                    size += len(argument)
                else:
                    parts.append(_pack_text(argument))
        if size > _PIECE_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)


@functools.lru_cache(256, typed=True)
def _pack_text(argument: object) -> bytes:
    """The wire form of an argument that is not bytes: command names and constants, so worth caching."""
    data = str(argument).encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)


class _Aggregate(NamedTuple):
    """An array, set, map or push message, of which some elements have yet to arrive."""

    kind: int
    size: int
    elements: list[Any]

    def value(self) -> Any:
        """The aggregate as a Python object, once all elements are there."""
        elements = self.elements
        if self.kind != _MAP:
            return elements
        return dict(zip(elements[::2], elements[1::2], strict=True))


class ReplyParser:
    """Parses the replies of one exchange as they arrive, in version 2 or 3 of the protocol.

    No byte is parsed twice, because an array of a million elements arrives in a thousand chunks.
    Memory grows with the bytes that arrived, never with an announced length. Nesting needs no
    recursion.

    Args:
        count: The number of replies to expect.

    Attributes:
        replies: The complete replies. A `ResponseError` is the reply to one command.
    """

    def __init__(self, count: int) -> None:
        self.replies: list[Any] = []
        self._count = count
        self._data = b""
        self._chunks: list[bytes] = []  # joined only once enough has arrived
        self._size = 0
        self._needed = 0
        self._open: list[_Aggregate] = []

    def feed(self, chunk: bytes) -> bool:
        """Parse `chunk`; true once all replies are there.

        Raises:
            InvalidResponse: The bytes are not a reply, or are more than was expected: then it is
                unknown which reply answers which command.
            redis.exceptions.ConnectionError: The server refuses this connection: it is loading its
                data, has too many clients, or wants a password.
            ValueError, TypeError: A number, or the key of a map, is not usable.
        """
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size < self._needed:
            return False
        data = self._data + b"".join(self._chunks)
        self._chunks.clear()
        at, needed = self._parse(data)
        if needed:
            self._data = data[at:]
            self._size = len(self._data)
            self._needed = needed - at
            return False
        if at < len(data):
            msg = "more replies arrived than were asked for"
            raise InvalidResponse(msg)
        return True

    def _parse(self, data: bytes) -> tuple[int, int]:
        """Parse `data`: the offset reached, and the length needed to go on, 0 once all is there."""
        at = 0
        replies, count = self.replies, self._count
        while len(replies) < count:
            end = data.find(_END, at)
            if end < 0:
                if len(data) - at > _LONGEST_LINE:
                    msg = "a line of a reply has no end"
                    raise InvalidResponse(msg)
                return at, len(data) + 1
            kind, text, following = data[at], data[at + 1 : end], end + 2
            if kind == _STRING or kind in _OTHER_STRINGS:
                value: Any = None
                size = int(text)
                if size >= 0:
                    stop = following + size
                    if len(data) < stop + 2:
                        return at, stop + 2
                    value = data[following:stop]
                    following = stop + 2
                    if kind != _STRING:
                        value = _to_error(value) if kind == _LONG_ERROR else value[4:]
            elif kind == _INTEGER:
                value = int(text)
            elif kind in _AGGREGATES:
                self._begin(kind, int(text))
                at = following
                continue
            else:
                value = _parse_line(kind, text)
            at = following
            if self._open:
                self._add(value)
            else:
                replies.append(value)
        return at, 0

    def _begin(self, kind: int, size: int) -> None:
        if size > 0:
            self._open.append(_Aggregate(kind, 2 * size if kind == _MAP else size, []))
        elif kind != _PUSH:
            self._add(_Aggregate(kind, 0, []).value() if size == 0 else None)

    def _add(self, value: Any) -> None:
        """Append a reply to the innermost open aggregate, and close the aggregates that it completes."""
        while self._open:
            aggregate = self._open[-1]
            aggregate.elements.append(value)
            if len(aggregate.elements) < aggregate.size:
                return
            self._open.pop()
            if aggregate.kind == _PUSH:  # it answers no command
                return
            value = aggregate.value()
        self.replies.append(value)


def _parse_line(kind: int, text: bytes) -> Any:
    match bytes((kind,)):
        case b"+":
            return text
        case b"-":
            return _to_error(text)
        case b"_":
            return None
        case b"#":
            return text == b"t"
        case b",":
            return float(text)
        case b"(":
            return int(text)
        case other:
            msg = f"no reply of a Redis server begins with {other!r}"
            raise InvalidResponse(msg)


def _to_error(text: bytes) -> Exception:
    error: Exception = _parse_error(text.decode("utf-8", "replace"))
    if isinstance(error, RedisConnectionError):
        raise error
    return error
