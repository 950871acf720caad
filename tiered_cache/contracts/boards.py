"""Boards: where processes that share a tier leave notices for each other.

What they use them for is publishing their statistics. A board keeps bytes, and knows nothing of
what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["MAX_NOTICES", "MAX_NOTICE_BYTES", "MAX_READ_BYTES", "Board", "BoardTier", "Notice"]

MAX_NOTICE_BYTES = 2**20
"""The longest notice that is kept or read."""

MAX_NOTICES = 2000
"""How many notices one reading gives at most."""

MAX_READ_BYTES = 2**26
"""How many bytes one reading gives at most, so that a foreign board can't fill the memory."""


class Notice(NamedTuple):
    """What hangs on a board.

    Attributes:
        name: Its name, unique on the board.
        data: What it says.
        left_s: Seconds for which it is current; none or fewer, and it has run out. It stays.
    """

    name: str
    data: bytes
    left_s: float


class Board(Protocol):
    """A tier's board for one namespace. Thread-safe.

    The implementer raises what a tier raises, keeps its deadline, and keeps the board apart from
    what `clear` removes. Every method is one step for all who share it. A board that nobody has
    written to for a month may be removed, no sooner.
    """

    def put(self, name: str, data: bytes, lifetime_s: float, *, new: bool = False) -> bool:
        """Hang up a notice, current for `lifetime_s` seconds of a clock that all have in common.

        Args:
            name: At most 200 ASCII characters.
            data: At most `MAX_NOTICE_BYTES`; a longer one is a `RecordRefusedError`.
            lifetime_s: 0.0 or more.
            new: Whether it must not hang there yet; if not, it must, and takes the other's place.

        Returns:
            Whether it was hung up; false where it was there, or was not, against `new`.
        """
        ...

    def read(self, prefix: str) -> Sequence[Notice]:
        """The notices whose names begin with `prefix`, as of one moment, in the order of their names.

        At most `MAX_NOTICES`, and `MAX_READ_BYTES`; none that is longer than a notice may be.
        """
        ...

    def names(self, prefix: str) -> Sequence[str]:
        """The names of these."""
        ...

    def swap(self, old: Mapping[str, bytes], new: Mapping[str, bytes]) -> bool:
        """Take `old` down and hang `new` up, which never runs out, if `old` is as it says there.

        Also where a name in `new` and not in `old` is taken, nothing is done.

        Returns:
            Whether it was done.
        """
        ...

    def remove(self, names: Sequence[str]) -> None:
        """Take down what is called so, whatever it says."""
        ...


@runtime_checkable
class BoardTier(Protocol):
    """A tier that has a board."""

    @property
    def board(self) -> Board:
        """The board of this tier's namespace; usable once the tier is open."""
        ...
