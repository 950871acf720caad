"""Reading the replies of a Redis server from what has arrived of them.

`redis-py`'s parser reads each line by itself, which costs microseconds a reply, and some 12 where lines
are awaited; in a batch of hundreds that is more than all else. This one takes what has arrived.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

from typing import Any, NamedTuple

from redis._parsers import base as _redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse

__all__ = ["Replies"]

_END = b"\r\n"
_STRING, _INTEGER = b"$:"
_OTHER_STRINGS = b"=!"
_LONG_ERROR = ord("!")
_COLLECTIONS = b"*~%>"
_MAP, _PUSH = b"%>"
_LONGEST_LINE = 65_536
_parse_error: Any = _redis.BaseParser.parse_error


class _Collection(NamedTuple):
    """A reply of several, of which some are still to come."""

    kind: int
    size: int
    found: list[Any]

    def whole(self) -> Any:
        """What it is, once all are there."""
        found = self.found
        return dict(zip(found[::2], found[1::2], strict=True)) if self.kind == _MAP else found


class Replies:
    """The replies of one exchange, of version 2 or 3 of the protocol, as they arrive.

    Nothing is parsed twice: a reply may be a collection of a million others, which arrives in a thousand
    chunks.

    Args:
        count: How many there will be.

    Attributes:
        read: Those that are there. A `ResponseError` is the reply to one command.
    """

    def __init__(self, count: int) -> None:
        self.read: list[Any] = []
        self._count = count
        self._data = b""
        self._chunks: list[bytes] = []
        self._size = 0
        self._needed = 0
        self._open: list[_Collection] = []

    def feed(self, chunk: bytes) -> bool:
        """Take what has arrived; whether all replies are there.

        Raises:
            InvalidResponse: It is no reply, or more than was asked for: nobody knows what answers what.
            redis.exceptions.ConnectionError: The server does not serve this connection: it still loads its
                data, has too many clients, or wants a password.
        """
        # Joined only once enough is there: a long value arrives in a thousand chunks.
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size < self._needed:
            return False
        data = self._data + b"".join(self._chunks)
        self._chunks.clear()
        at = needed = 0
        read, count = self.read, self._count
        while len(read) < count:
            end = data.find(_END, at)
            if end < 0:
                if len(data) - at > _LONGEST_LINE:
                    msg = "a line of a reply has no end"
                    raise InvalidResponse(msg)
                needed = len(data) + 1
                break
            kind, text, following = data[at], data[at + 1 : end], end + 2
            if kind == _STRING or kind in _OTHER_STRINGS:
                value: Any = None
                size = int(text)
                if size >= 0:
                    stop = following + size
                    if len(data) < stop + 2:
                        needed = stop + 2
                        break
                    value = data[following:stop]
                    following = stop + 2
                    if kind != _STRING:
                        value = _error(value) if kind == _LONG_ERROR else value[4:]
            elif kind == _INTEGER:
                value = int(text)
            elif kind in _COLLECTIONS:
                self._begin(kind, int(text))
                at = following
                continue
            else:
                value = _of_one_line(kind, text)
            at = following
            if self._open:
                self._add(value)
            else:
                read.append(value)
        else:
            _end_at(at, data)
            return True
        self._data = data[at:]
        self._size = len(self._data)
        self._needed = needed - at
        return False

    def _begin(self, kind: int, size: int) -> None:
        if size > 0:
            self._open.append(_Collection(kind, 2 * size if kind == _MAP else size, []))
        elif kind != _PUSH:
            self._add(_Collection(kind, 0, []).whole() if size == 0 else None)

    def _add(self, value: Any) -> None:
        """Put a reply into the collection that it is a part of, and this one into its own if it is whole."""
        while self._open:
            collection = self._open[-1]
            collection.found.append(value)
            if len(collection.found) < collection.size:
                return
            self._open.pop()
            if collection.kind == _PUSH:  # nobody asked for it
                return
            value = collection.whole()
        self.read.append(value)


def _of_one_line(kind: int, text: bytes) -> Any:
    match bytes((kind,)):
        case b"+":
            return text
        case b"-":
            return _error(text)
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


def _end_at(at: int, data: bytes) -> None:
    if at < len(data):
        msg = "more replies arrived than were asked for"
        raise InvalidResponse(msg)


def _error(text: bytes) -> Exception:
    error: Exception = _parse_error(text.decode("utf-8", "replace"))
    if isinstance(error, RedisConnectionError):
        raise error
    return error
