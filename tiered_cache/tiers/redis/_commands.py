"""Commands for a Redis server: their wire form, and Lua scripts that are called by digest."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["MAX_KEYS", "Command", "Script", "pack_commands", "with_source"]

Command = tuple[object, ...] | bytes
"""A command with its arguments, or its wire form, which saves packing it on hot paths."""

MAX_KEYS = 500
"""Most keys in one round trip, and most that one `SCAN` asks for."""

_PIECE_BYTES = 65_536
_sources: dict[str, str] = {}


class Script:
    """A Lua script, which the server runs as one step. A server knows its digest after the first call."""

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

    Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
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
