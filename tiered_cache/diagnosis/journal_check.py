"""The check of the journal: queued writes that no process will flush."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.diagnosis.check_result import advise, ok, problem
from tiered_cache.diagnosis.neutral_stack import open_neutral

if TYPE_CHECKING:
    from tiered_cache.config.schema import StackSettings
    from tiered_cache.diagnosis.check_result import CheckResult

__all__ = ["check_journal"]


def check_journal(name: str, chosen: StackSettings) -> CheckResult:
    """Whether the journal of this host has parked writes, or writes of dead processes.

    Args:
        name: The name of the stack.
        chosen: Its settings.
    """
    with open_neutral(chosen) as cache:
        entries = cache.journal()
    parked = [each for each in entries if each.trouble]
    left = [each for each in entries if each.owner == "dead" and not each.trouble]
    option = "" if name == "default" else f" --stack {name}"
    if parked:
        return problem(
            f"parked writes: {len(parked)}, the first because of: {parked[0].trouble}",
            f"run `tiered-cache journal list{option}`, then `tiered-cache journal retry{option}`, "
            f"or `tiered-cache journal drop{option}` to lose them",
        )
    if left:
        return advise(
            f"writes left by dead processes: {len(left)}", _take_over(chosen.writing, option)
        )
    if entries:
        return ok(f"waiting: {len(entries)} writes of running processes")
    return ok("no write is queued")


def _take_over(writing: str, option: str) -> str:
    command = f"run `tiered-cache journal retry{option}`"
    if writing == "write_back":
        return f"start your program, or {command}: either flushes them"
    return (
        f'set writing = "write_back" for the stack, and {command}: with writing = "{writing}" a '
        "cache takes over no journal"
    )
