"""Change logs: the record of changes in a shared tier.

A shared tier logs each change together with the change itself. A process that keeps copies in tiers
above reads the log, and removes its copies of keys that others changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "MAX_LOGGED_KEY",
    "Change",
    "ChangeLog",
    "ChangePage",
    "Lag",
    "Places",
]

MAX_LOGGED_KEY = 256
"""The longest key in a log, in characters. A longer key is logged as a change of all keys with its
first 256 characters, because a log is bounded."""


class Change(NamedTuple):
    """A change of the value of one key, or of all keys that begin with a prefix.

    Attributes:
        origin: The cache that made the change: its `TierContext.origin`.
        key: The key or the prefix.
        is_prefix: Whether `key` is a prefix.
        made_s: The instant of the change by the wall clock of the log's store; `None` where the log
            does not keep it.
    """

    origin: str
    key: str
    is_prefix: bool = False
    made_s: float | None = None


class ChangePage(NamedTuple):
    """A part of a log.

    Attributes:
        changes: The changes after a position, in their order.
        position: The position of the end of the page.
        complete: Whether the log still holds every change after the requested position. If not, any
            key may have changed, and the page is empty and stands at the end of the log.
        more: Whether the log continues after the page.
    """

    changes: Sequence[Change]
    position: int
    complete: bool = True
    more: bool = False


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a cache has applied the log of a tier.

    Attributes:
        position: The last position applied, as the log numbers it; `""` at the beginning.
        behind_s: Seconds since the cache last read the log to its end: older changes are applied.
            `None` before the first time.
        delay_s: Seconds from the latest change by another cache until it was applied here; `None`
            before the first. Between hosts it includes the difference of their clocks.
    """

    position: str
    behind_s: float | None
    delay_s: float | None


class ChangeLog(Protocol):
    """The log of a tier's namespace. Thread-safe.

    The engine guarantees that positions come from this log, perhaps from before it was lost. The
    implementer must:

    - log every `put` that is not a fill, every `delete`, and every `clear` at its beginning and end;
    - log a change in the same atomic step as the change itself, in the order of the changes;
    - let positions grow along the log, and begin a new log at a position that no earlier one reached,
      such as the wall clock in microseconds: so a reader can tell that the log was lost;
    - bound the log, and answer with an incomplete page where a reader's next changes are gone,
      because they were removed or because the whole log was lost;
    - raise the errors of a tier, and answer within its deadline; `wait` within its timeout plus the
      deadline.

    It may log a change that was then refused. `logged_change` bounds the keys.
    """

    @property
    def source(self) -> str:
        """The name of the log: the same for all its readers, different for each store.

        It may be read after the tier was closed.
        """
        ...

    def read(self, position: int | None) -> ChangePage:
        """The changes after `position`. For `None`, an incomplete page."""
        ...

    def wait(self, position: int, timeout_s: float) -> None:
        """Return when the log continues after `position`, or after `timeout_s` seconds.

        It may return early.
        """
        ...


class Places(Protocol):
    """How far the logs of tiers below have been applied to a shared tier.

    The implementer must keep a position as durably as the tier's records, and raise the errors of a
    tier, within its deadline.
    """

    def place_in(self, source: str) -> int | None:
        """The position applied last in the log `source`; `None` if none was applied."""
        ...

    def begin_place(self, source: str, position: int) -> int | None:
        """Store `position` if the tier is empty and has no position in the log `source`.

        An empty tier holds nothing outdated. The step is atomic for all users of the tier, and it
        refuses fills that began before it.

        Returns:
            The stored position; `None` if there is none because the tier holds records.
        """
        ...

    def set_place(self, source: str, position: int) -> None:
        """Replace the position in the log `source`."""
        ...
