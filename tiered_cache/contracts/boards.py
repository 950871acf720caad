"""Boards: small shared stores on which processes publish notices, such as their statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from tiered_cache.errors import RecordRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "MAX_NOTICES",
    "MAX_NOTICE_BYTES",
    "MAX_READ_BYTES",
    "Board",
    "Notice",
    "check_notice",
]

MAX_NOTICE_BYTES = 2**20
"""The size of the longest notice that a board stores or returns."""

MAX_NOTICES = 2000
"""The most notices that one `Board.read` returns."""

MAX_READ_BYTES = 2**26
"""The most bytes that one `Board.read` returns, so that hostile bytes can't fill the memory."""


class Notice(NamedTuple):
    """A named text on a board.

    Attributes:
        name: Its name, unique on the board.
        data: Its bytes, which the board does not interpret.
        left_s: Seconds until it expires; 0.0 or less if it has. An expired notice stays on the board.
    """

    name: str
    data: bytes
    left_s: float


def check_notice(data: bytes, tier: str) -> None:
    """Raise `RecordRefusedError` if `data` is too long for a notice on the board of `tier`."""
    if len(data) > MAX_NOTICE_BYTES:
        msg = f"a notice has {len(data)} bytes: expected at most {MAX_NOTICE_BYTES}"
        raise RecordRefusedError(msg, tier=tier, operation="put_notice")


class Board(Protocol):
    """A tier's board for one namespace. Thread-safe.

    The engine guarantees names of at most 200 ASCII characters. The implementer must:

    - make each method one atomic step for all processes that share the board;
    - raise the errors of a tier, within the tier's deadline;
    - keep the board when `Tier.clear` removes keys;
    - keep a board for at least a month after its last write.

    `put` and `swap` raise `RecordRefusedError` for data of more than `MAX_NOTICE_BYTES`.
    """

    def put(self, name: str, data: bytes, lifetime_s: float, *, new: bool = False) -> bool:
        """Store a notice that expires `lifetime_s` seconds from now.

        Args:
            name: The notice's name.
            data: The notice's bytes.
            lifetime_s: 0.0 or more, by a clock that all processes share.
            new: True adds a notice, and only if none has this name. False replaces a notice, and only
                if there is one.

        Returns:
            Whether it was stored.
        """
        ...

    def read(self, prefix: str) -> Sequence[Notice]:
        """The notices with names that begin with `prefix`, at one instant, in the order of their names.

        The result is cut at `MAX_NOTICES` and at `MAX_READ_BYTES`. Notices longer than
        `MAX_NOTICE_BYTES` are left out.
        """
        ...

    def names(self, prefix: str) -> Sequence[str]:
        """The names that begin with `prefix`, at most `MAX_NOTICES`."""
        ...

    def swap(self, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> bool:
        """Replace all of the notices `old` by `new`, which never expire, or none.

        Nothing changes if a notice of `old` is missing or has other data, or if a name that is only
        in `new` exists.

        Returns:
            Whether they were replaced.
        """
        ...

    def remove(self, names: Sequence[str]) -> None:
        """Remove the notices with these names. Unknown names are ignored."""
        ...
