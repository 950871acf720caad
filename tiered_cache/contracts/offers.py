"""The offers of a tier: its abilities beyond reading and writing, and its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tiered_cache.contracts.abilities import AwaitedTier, LiveNodes
    from tiered_cache.contracts.boards import Board
    from tiered_cache.contracts.change_log import ChangeLog, Places
    from tiered_cache.contracts.items import Absent, Found
    from tiered_cache.contracts.leases import Leases

__all__ = ["Offers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """The abilities and limits of a tier. The engine works without each of them.

    Objects and functions are usable once the tier is open. Their calls keep the rules of `Tier`: the
    same guarantees, deadlines and errors.

    Attributes:
        compare_and_set: Whether `put` compares tokens. If not, its tokens are ignored: the tier gets
            changes, but neither computed values nor copies (law 4). Such a tier should not stand last
            in a stack that uses tags: tag versions are fills.
        durable: Whether a record that was put survives the death of every process that uses the tier.
        max_item_bytes: The longest record; the engine keeps longer ones out. `None` if the tier knows
            no limit, or refuses by itself.
        quick: Whether an event loop may call the tier without a thread: calls for one key never wait,
            never do I/O, and cost the same for any value.
        leases: The leases on the tier's keys.
        change_log: The log of changes of the tier.
        board: The board of the tier.
        heads: Like `Tier.get_many`, but with only the first `HEAD_BYTES` of each record.
            `Found.remaining_s` has no meaning there.
        places: The positions up to which the logs of tiers below have been applied to this one.
        fence: Refuses each fill of any key that began before now, and removes nothing. The prefix that
            it is given bounds only the change that it logs, if the tier has a log. The simplest fence is
            a number of the namespace that is part of each token. A queued clear needs it:
            it reaches the tier late, and must spare the values written since. All keys without a
            record and without a remembered deletion must have the same token until the next fence or
            clear, so that the engine can tell an expired record from a removed one.
        steps: Given a prefix and a callback, the same as `Tier.clear`. After each step it calls back
            with the number of keys removed so far in total, with no lock held.
        awaited: Makes a side of the tier for the running event loop, which opens nothing before its
            first call; `None` where the tier needs threads after all. For tiers with leases.
        live: Hits that the engine inlines.
        journal_directory: A directory on this host's disk, for journals alone. It need not exist.
        exact_scan: Whether `scan` gives every key. A store that can't list its keys gives those it
            can.
        sweep: Given a deadline in seconds, removes expired items and the leftovers of dead processes. It
            returns within the deadline, which is ten seconds at present, by `time.monotonic`, and may be
            interrupted at any instant. It may sweep its namespace or the whole store.
            The tier may be closed meanwhile, and the sweep must end then. One process of those that
            share the tier calls it, at most once in ten minutes; on a shared tier it needs `leases`.
    """

    compare_and_set: bool = True
    durable: bool = False
    max_item_bytes: int | None = None
    quick: bool = False
    leases: Leases | None = None
    change_log: ChangeLog | None = None
    board: Board | None = None
    heads: Callable[[Sequence[str]], Mapping[str, Found[bytes] | Absent]] | None = None
    places: Places | None = None
    fence: Callable[[str], None] | None = None
    steps: Callable[[str, Callable[[int], object]], int] | None = None
    awaited: Callable[[], AwaitedTier | None] | None = None
    live: LiveNodes | None = None
    journal_directory: Path | None = None
    exact_scan: bool = True
    sweep: Callable[[float], object] | None = None
