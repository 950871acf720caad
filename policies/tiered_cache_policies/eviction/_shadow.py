"""The simulation of a policy on keys alone, many uses at a time."""

from __future__ import annotations

import copy
import sys
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Shadow"]

K = TypeVar("K")


class Shadow(Generic[K]):
    """The keys that a policy would hold after the uses replayed so far.

    A replay is one loop over local names. Call by call, the same steps cost two to three times as
    much.

    Attributes:
        held: The keys, each with the policy's state of it.
        limit: The most keys. After a lower limit, the next miss shrinks it.
        misses: The uses of keys that were not held.
    """

    held: Any  # a dictionary, of another kind in each subclass

    def __init__(self) -> None:
        self.limit = sys.maxsize
        self.misses = 0

    def replay(self, uses: Sequence[K]) -> list[K]:
        """Replay `uses`, oldest first; return the evicted keys, some of which may be held again."""
        raise NotImplementedError

    def resize(self, limit: int) -> None:
        """Set the limit, which is at least 1."""
        self.limit = limit

    def next_to_go(self, most: int) -> dict[K, int]:
        """Up to `most` next keys to evict, provided that only new keys are used until then.

        The next one is last, in the order of `dict.popitem`. The value of a key is the number of
        uses that would spare it. A shadow with keys returns at least one.
        """
        raise NotImplementedError

    def __copy__(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.__dict__.update({name: copy.copy(each) for name, each in self.__dict__.items()})
        return twin
