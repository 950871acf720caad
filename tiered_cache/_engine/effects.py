"""What a plan asks a driver to do, and what the driver answers.

A plan is a generator: it yields effects and is sent replies. It never touches I/O or a clock, so
that one algorithm serves every driver, and a test can drive it through any interleaving.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from tiered_cache._engine.state.flights import Flight  # noqa: TC001 - NamedTuple fields
from tiered_cache._engine.terms import Terms  # noqa: TC001 - NamedTuple fields
from tiered_cache.computation import Computation  # noqa: TC001 - NamedTuple fields
from tiered_cache.contracts import JournalRow, PutItem  # noqa: TC001 - NamedTuple fields

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
    "Put",
    "PutMany",
    "Read",
    "ReadHeads",
    "ReadMany",
    "Refresh",
    "RefreshMany",
    "ReleaseLease",
    "Reply",
    "Scan",
    "WriteJournal",
    "WriteJournalMany",
]

OK = "ok"
SKIPPED = "skipped"
FAILED = "failed"
REFUSED = "refused"
UNREADABLE = "unreadable"


class Reply:
    """How an effect on a tier went.

    Attributes:
        status: `OK`; `SKIPPED`, the tier was not asked; `FAILED`, it could not serve; `REFUSED`, it
            does not take the record; `UNREADABLE`, what it holds can't be handed out.
        value: What the tier's method returned, for `OK`.
        seconds: How long it took.
        now_s: The wall clock after it.
        reason: What went wrong, for people.
    """

    __slots__ = ("now_s", "reason", "seconds", "status", "value")

    def __init__(
        self, status: str, value: Any, seconds: float, now_s: float, reason: str = ""
    ) -> None:
        self.status = status
        self.value = value
        self.seconds = seconds
        self.now_s = now_s
        self.reason = reason


class Read(NamedTuple):
    """Read one key of one tier: a reply with `Found` or `Absent`."""

    level: int
    key: str


class ReadMany(NamedTuple):
    """Read several keys of one tier: a reply with a dictionary of `Found` and `Absent`.

    What is queued for a tier counts as what it holds.
    """

    level: int
    keys: Sequence[str]


class ReadHeads(NamedTuple):
    """Ask how old what a tier holds is, whatever is queued for it: a reply as of `ReadMany`.

    Of each record there need only be the beginning.
    """

    level: int
    keys: Sequence[str]


class Put(NamedTuple):
    """Write one key of one tier: a reply with whether it was stored."""

    level: int
    key: str
    item: PutItem
    counter: str = "writes"


class PutMany(NamedTuple):
    """Write several keys of one tier: a reply with the set of those stored."""

    level: int
    items: Mapping[str, PutItem]
    counter: str = "writes"


class Delete(NamedTuple):
    """Delete one key of one tier: a reply with whether it was there."""

    level: int
    key: str


class DeleteMany(NamedTuple):
    """Delete several keys of one tier: a reply with how many were there."""

    level: int
    keys: Sequence[str]


Progress = Callable[[str, int], object]
"""Who is told of the name of a tier, and of how many keys were removed from it so far."""


class Clear(NamedTuple):
    """Delete all keys with a prefix of one tier: a reply with how many there were."""

    level: int
    prefix: str
    progress: Progress | None = None


class Fence(NamedTuple):
    """Do the first half of a `Clear`, of a level that has a `fence`: a reply without a value."""

    level: int
    prefix: str


class Scan(NamedTuple):
    """List the keys with a prefix of one tier: a reply with them."""

    level: int
    prefix: str


class AwaitRoom(NamedTuple):
    """Wait until the write-back queue takes a key, and so many new ones `more`.

    Raises `QueueFullError` after its deadline.
    """

    key: str
    more: int = 0


class Lead(NamedTuple):
    """Tell that others may wait for what the plan does from now on: no reply.

    Where its caller can be cancelled, that must end the plan only if nobody else wants the outcome.
    """

    flights: Sequence[Flight]


class AwaitFlight(NamedTuple):
    """Wait for somebody else's computation: a reply with whether it ended in time."""

    flight: Flight
    timeout_s: float


class AcquireLease(NamedTuple):
    """Ask for the lease of a key in a tier that has leases: a reply with a `LeaseAnswer`.

    It is renewed until it is released.
    """

    level: int
    key: str
    owner: str
    lifetime_s: float


class ReleaseLease(NamedTuple):
    """Give a lease back: a reply without a value."""

    level: int
    key: str
    owner: str


class AwaitLease(NamedTuple):
    """Wait until a lease may be free: a reply without a value."""

    level: int
    key: str
    seen: object
    timeout_s: float


class CatchUp(NamedTuple):
    """Learn what others changed in shared tiers: a reply with how many tiers are doubted still."""


class AwaitWritten(NamedTuple):
    """Wait until no key with a prefix is on its way down: a reply without a value."""

    prefix: str


class WriteJournal(NamedTuple):
    """Have a change on disk: a reply with its `JournalRow`."""

    key: str
    record: bytes | None
    as_of_s: float
    tiers: frozenset[str]


class WriteJournalMany(NamedTuple):
    """Have several changes on disk, all or none: a reply with their rows, in the same order."""

    rows: Sequence[JournalRow]


class ClearJournal(NamedTuple):
    """Remove the changes of keys with a prefix, up to an instant, from the journal.

    And from those of dead processes: a reply without a value.
    """

    prefix: str
    as_of_s: float


class ForgetJournal(NamedTuple):
    """Remove changes from the journal: a reply without a value."""

    rows: Sequence[JournalRow]


class Computed(NamedTuple):
    """The reply to `Compute`.

    Attributes:
        value: What the function returned.
        seconds: How long it took.
        now_s: The wall clock after it.
        lead_s: Seconds since before it, never fewer than it took.
        keys: For how many keys it computed.
        computation: What the function said of its result.
    """

    value: Any
    seconds: float
    now_s: float
    lead_s: float
    keys: int
    computation: Computation


class Refresh(NamedTuple):
    """Have a value computed anew in the background: no reply.

    It does nothing if somebody else has written a newer one than that of `seen_s`.
    """

    key: str
    function: Callable[[], object]
    terms: Terms
    seen_s: float


class RefreshMany(NamedTuple):
    """Have values computed anew in the background, in one call: no reply.

    Args:
        function: The caller's: given keys, it returns their values.
        terms: Under which they are stored.
        seen: For each key when the value was written that is to be replaced: newer ones are not.
    """

    function: Callable[[Sequence[str]], dict[str, Any]]
    terms: Terms
    seen: Mapping[str, float]


class Compute(NamedTuple):
    """Call the caller's function, for some flights: a reply of the type `Computed`.

    What it raises is thrown into the plan inside a `ComputeFailedError`.
    """

    function: Callable[[], Any]
    keys: Sequence[str]
    flights: Sequence[Flight]


class ComputeFailedError(Exception):
    """Carries what the caller's function raised through a plan.

    By itself it could not pass: a generator turns a `StopIteration` into something else.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


Effect = (
    Read
    | ReadMany
    | ReadHeads
    | Put
    | PutMany
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
    | WriteJournal
    | WriteJournalMany
    | ClearJournal
    | ForgetJournal
    | Refresh
    | RefreshMany
    | Compute
)

T = TypeVar("T")
Plan = Generator[Effect, Any, T]
