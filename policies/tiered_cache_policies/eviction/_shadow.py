"""What a policy would hold, simulated on keys alone, many uses at a time."""

from __future__ import annotations

import copy
import sys
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Shadow"]

K = TypeVar("K")


class Shadow(Generic[K]):
    """The keys that a policy would hold, had it seen the uses that were replayed so far.

    A replay is one loop over local names. That is what makes it cheap: call by call, the same
    steps cost two to three times as much.

    Attributes:
        held: The keys, with what the policy knows of each.
        limit: How many it may hold. It shrinks to a lower limit with the next use that it misses.
        misses: The uses of keys that it did not hold.
    """

    held: Any  # a dictionary, of each subclass's own kind

    def __init__(self) -> None:
        self.limit = sys.maxsize
        self.misses = 0

    def replay(self, uses: Sequence[K]) -> list[K]:
        """See `uses`, oldest first; the keys that were let go, some of which may have come back."""
        raise NotImplementedError

    def resize(self, limit: int) -> None:
        """Hold `limit` keys at most, which is at least one."""
        self.limit = limit

    def next_to_go(self, most: int) -> dict[K, int]:
        """Up to `most` keys that it will let go if newcomers come and nothing else is used.

        The first to go is the last, as `dict.popitem` has it. With each there is the number of
        uses that would spare it. If it holds any, there is at least one.
        """
        raise NotImplementedError

    def __copy__(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.__dict__.update({name: copy.copy(each) for name, each in self.__dict__.items()})
        return twin
