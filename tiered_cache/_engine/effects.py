"""Effects: the requests of a plan to its driver, and the driver's replies.

A plan is a generator that yields effects and is sent replies. It never touches I/O or a clock. So one
algorithm serves every driver, and a test can drive it through any interleaving.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from tiered_cache._engine.state.flights import Flight  # noqa: TC001 - NamedTuple fields
from tiered_cache._engine.terms import Work  # noqa: TC001 - NamedTuple fields
from tiered_cache.computation import Computation  # noqa: TC001 - NamedTuple fields
from tiered_cache.contracts import JournalRow, Put  # noqa: TC001 - NamedTuple fields

__all__ = [
    "FAILED",
    "OK",
    "REFUSED",
    "SKIPPED",
    "UNREADABLE",
    "AcquireLease",
    "AwaitFlight",
    "AwaitLease",
    "AwaitRoom",
    "AwaitWritten",
    "CatchUp",
    "Clear",
    "ClearJournal",
    "Compute",
    "ComputeFailedError",
    "Computed",
    "Delete",
    "DeleteMany",
    "Effect",
    "Fence",
    "ForgetJournal",
    "Lead",
    "Plan",
    "Progress",
    "Read",
    "ReadHeads",
    "ReadMany",
    "Refresh",
    "ReleaseLease",
    "Reply",
    "Scan",
    "WakeFlusher",
    "Write",
    "WriteJournal",
    "WriteMany",
]

OK = "ok"
SKIPPED = "skipped"
FAILED = "failed"
REFUSED = "refused"
UNREADABLE = "unreadable"


class Reply(NamedTuple):
    """The result of an effect on a tier.

    Attributes:
        status: `OK`; `SKIPPED`, the tier was not asked; `FAILED`, it could not serve; `REFUSED`, it
            does not take the record; `UNREADABLE`, the record that it holds can't be handed out.
        value: The return value of the tier's method, for `OK`.
        seconds: The duration of the call.
        now_s: The wall clock after it.
        reason: The fault, for people.
    """

    status: str
    value: Any
    seconds: float
    now_s: float
    reason: str = ""


class Read(NamedTuple):
    """Read one key of one tier. Reply: `Found` or `Absent`."""

    level: int
    key: str


class ReadMany(NamedTuple):
    """Read several keys of one tier. Reply: a dictionary of `Found` and `Absent`.

    Writes that are queued for a tier count as its contents.
    """

    level: int
    keys: Sequence[str]


class ReadHeads(NamedTuple):
    """Read the age of a tier's records, ignoring the queue. Reply: as for `ReadMany`.

    The beginning of each record suffices.
    """

    level: int
    keys: Sequence[str]


class Write(NamedTuple):
    """Write one key of one tier. Reply: whether it was stored."""

    level: int
    key: str
    item: Put[Any]
    counter: str = "writes"


class WriteMany(NamedTuple):
    """Write several keys of one tier. Reply: the set of those stored."""

    level: int
    items: Mapping[str, Put[Any]]
    counter: str = "writes"


class Delete(NamedTuple):
    """Delete one key of one tier. Reply: whether it was there."""

    level: int
    key: str


class DeleteMany(NamedTuple):
    """Delete several keys of one tier. Reply: how many were there."""

    level: int
    keys: Sequence[str]


Progress = Callable[[str, int], object]
"""Progress callback: tier name, keys removed so far."""


class Clear(NamedTuple):
    """Delete all keys with a prefix of one tier. Reply: how many there were."""

    level: int
    prefix: str
    progress: Progress | None = None


class Fence(NamedTuple):
    """Do the first half of a `Clear`, in a tier that has a `fence`. Reply: no value."""

    level: int
    prefix: str


class Scan(NamedTuple):
    """List the keys with a prefix of one tier. Reply: the keys."""

    level: int
    prefix: str


class AwaitRoom(NamedTuple):
    """Wait until the write-back queue takes `key` and `more` further new keys.

    Raises `QueueFullError` after its deadline.
    """

    key: str
    more: int = 0


class Lead(NamedTuple):
    """Announce that other callers may wait for the plan from now on. No reply.

    Cancelling the caller must then end the plan only if no other caller wants the outcome.
    """

    flights: Sequence[Flight]


class AwaitFlight(NamedTuple):
    """Wait for another caller's computation. Reply: whether it ended in time."""

    flight: Flight
    timeout_s: float


class AcquireLease(NamedTuple):
    """Ask a tier for the lease of a key. Reply: a `LeaseAnswer`.

    A granted lease is renewed until it is released.
    """

    level: int
    key: str
    owner: str
    lifetime_s: float


class ReleaseLease(NamedTuple):
    """Release a lease. Reply: no value."""

    level: int
    key: str
    owner: str


class AwaitLease(NamedTuple):
    """Wait until a lease may be free. Reply: no value."""

    level: int
    key: str
    seen: object
    timeout_s: float


class CatchUp(NamedTuple):
    """Read the change logs of shared tiers. Reply: how many tiers are still doubted."""


class AwaitWritten(NamedTuple):
    """Wait until no key with a prefix is being flushed. Reply: no value."""

    prefix: str


class WakeFlusher(NamedTuple):
    """Have the write-back queue flushed in the background. No reply."""


class WriteJournal(NamedTuple):
    """Write changes to disk, all or none. Reply: their rows, in the same order."""

    rows: Sequence[JournalRow]


class ClearJournal(NamedTuple):
    """Remove the changes of keys with a prefix, up to an instant, from the journal.

    Those of dead processes too. Reply: no value.
    """

    prefix: str
    as_of_s: float


class ForgetJournal(NamedTuple):
    """Remove changes from the journal. Reply: no value."""

    rows: Sequence[JournalRow]


class Computed(NamedTuple):
    """The reply to `Compute`.

    Attributes:
        value: The function's return value.
        seconds: The duration of the call.
        now_s: The wall clock after it.
        lead_s: Seconds since before it, never fewer than `seconds`.
        keys: How many keys it computed.
        computation: The function's own wishes for its result.
    """

    value: Any
    seconds: float
    now_s: float
    lead_s: float
    keys: int
    computation: Computation


class Refresh(NamedTuple):
    """Recompute values in the background, in one call. No reply.

    Attributes:
        work: The caller's function, and the terms of its results.
        seen: The keys, each with the instant at which the value was written that is to be
            replaced: a newer value is left alone.
    """

    work: Work
    seen: Mapping[str, float]


class Compute(NamedTuple):
    """Call the caller's function, for some flights. Reply: `Computed`.

    An exception of the function is thrown into the plan inside a `ComputeFailedError`.
    """

    function: Callable[[], Any]
    keys: Sequence[str]
    flights: Sequence[Flight]


class ComputeFailedError(Exception):
    """Carries an exception of the caller's function through a plan.

    The exception itself could not pass: a generator turns a `StopIteration` into another error.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


Effect = (
    Read
    | ReadMany
    | ReadHeads
    | Write
    | WriteMany
    | Delete
    | DeleteMany
    | Clear
    | Fence
    | Scan
    | AcquireLease
    | ReleaseLease
    | Lead
    | AwaitFlight
    | AwaitLease
    | AwaitRoom
    | AwaitWritten
    | CatchUp
    | WakeFlusher
    | WriteJournal
    | ClearJournal
    | ForgetJournal
    | Refresh
    | Compute
)

T = TypeVar("T")
Plan = Generator[Effect, Any, T]
