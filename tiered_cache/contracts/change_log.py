"""Logs of changes: how those who share a tier learn what others changed in it.

A tier that several processes share writes down each change together with the change itself. Whoever
keeps copies in tiers above it reads the log, and drops the copies of what others changed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "MAX_LOGGED_KEY",
    "Change",
    "ChangeLog",
    "ChangePage",
    "Lag",
    "LoggedTier",
    "PlaceTier",
    "logged",
    "pack",
    "unpack",
]

_PACKED = struct.Struct("<?I")
_MAX_PACKED_BYTES = 4096

MAX_LOGGED_KEY = 256
"""A longer key is logged as all keys that begin with so many of its characters: a log is bounded."""


class Change(NamedTuple):
    """A key of which the value changed, or all keys that begin with a prefix.

    Attributes:
        origin: Who changed it, as of `TierContext.origin`.
        key: The key or prefix.
        is_prefix: Whether it is a prefix.
        made_s: When, by the wall clock of whoever keeps the log; `None` where nobody tells.
    """

    origin: str
    key: str
    is_prefix: bool = False
    made_s: float | None = None


class ChangePage(NamedTuple):
    """A part of a log.

    Attributes:
        changes: The changes after a position, in their order.
        position: Where the page ends.
        complete: Whether the log reaches back to the position asked for. If not, anything may have
            changed, and the page begins and ends where the log ends.
        more: Whether the log goes on after the page.
    """

    changes: Sequence[Change]
    position: int
    complete: bool = True
    more: bool = False


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a cache is with the log of a tier.

    Attributes:
        position: Up to where it has applied the log, as the log numbers it; `""` at the beginning.
        behind_s: Seconds since it last read the log to its end: what was changed before is known
            here. `None` if it never did.
        delay_s: Seconds from the last change by somebody else until it was applied here; `None`
            before the first. Between hosts, the difference of their clocks is in it.
    """

    position: str
    behind_s: float | None
    delay_s: float | None


class ChangeLog(Protocol):
    """The log of a tier's namespace. Thread-safe.

    The implementer must log each change atomically with the change itself, in the order in which
    the changes are made: every `put` that is no fill, every `delete`, and every `clear`, at its
    beginning and at its end. It may log what did not become a change. The log is bounded; that earlier changes were forgotten, or the whole
    log lost, must be seen by a reader whose position they were after. Positions grow.
    """

    @property
    def source(self) -> str:
        """What log it is: the same for all who read it, different for different stores."""
        ...

    def read(self, position: int | None) -> ChangePage:
        """What changed after `position`; an incomplete page for `None`."""
        ...

    def wait(self, position: int, timeout_s: float) -> None:
        """Return when the log goes on after `position`, or after `timeout_s`; or before."""
        ...


@runtime_checkable
class LoggedTier(Protocol):
    """A tier that has a log of its changes."""

    @property
    def log(self) -> ChangeLog:
        """The log; usable once the tier is open."""
        ...


@runtime_checkable
class PlaceTier(Protocol):
    """A shared tier that remembers up to where the logs of tiers below it have been applied to it."""

    def place_in(self, source: str) -> int | None:
        """The position in the log called `source`, or `None` if it was never applied."""
        ...

    def begin_place(self, source: str, position: int) -> int | None:
        """Remember a position if there is none and the tier is empty: nothing in it is outdated then.

        Atomic against every user of the tier. Fills that began before it are refused.

        Returns:
            The position that it has then; `None` if there is none, and the tier holds something.
        """
        ...

    def set_place(self, source: str, position: int) -> None:
        """Remember a position, durably."""
        ...


def pack(keys: Iterable[str], *, are_prefixes: bool = False) -> list[bytes]:
    """Changed keys in few strings of some 4 KiB, for a log in which each entry has a cost."""
    packed = [bytearray()]
    for key in keys:
        name = key[:MAX_LOGGED_KEY].encode("utf-8", "surrogatepass")
        if len(packed[-1]) + len(name) > _MAX_PACKED_BYTES:
            packed.append(bytearray())
        is_prefix = are_prefixes or len(key) > MAX_LOGGED_KEY
        packed[-1] += _PACKED.pack(is_prefix, len(name)) + name
    return [bytes(each) for each in packed if each]


def unpack(origin: str, packed: bytes, made_s: float | None = None) -> list[Change]:
    """The changes of one string that `pack` made; raises `ValueError` for any other."""
    changes = []
    start = 0
    while start < len(packed):
        try:
            is_prefix, length = _PACKED.unpack_from(packed, start)
        except struct.error as error:
            raise ValueError(str(error)) from error
        start += _PACKED.size + length
        name = packed[start - length : start]
        changes.append(Change(origin, name.decode("utf-8", "surrogatepass"), is_prefix, made_s))
    return changes


def logged(origin: str, key: str, *, is_prefix: bool = False) -> Change:
    """The change of a key, as it is written to a log."""
    if len(key) > MAX_LOGGED_KEY:
        return Change(origin, key[:MAX_LOGGED_KEY], is_prefix=True)
    return Change(origin, key, is_prefix)
