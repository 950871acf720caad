"""The check of a change log: a change by another user of a tier, and its arrival."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tiered_cache.diagnosis.check_result import ok, problem
from tiered_cache.diagnosis.error_results import LOST_KEYS
from tiered_cache.units import seconds_text

if TYPE_CHECKING:
    from tiered_cache.contracts.change_log import ChangeLog
    from tiered_cache.diagnosis.check_result import CheckResult
    from tiered_cache.diagnosis.checked_tier import CheckedTier

__all__ = ["check_changes"]

_ARRIVAL_S = 2.0


def check_changes(log: ChangeLog, other: CheckedTier, key: str) -> CheckResult:
    """Change a key as another user of the tier, and wait for the change in `log`.

    Args:
        log: The change log of the tier, read here.
        other: A second tier of the same settings, not opened yet; it writes.
        key: The key to change.
    """
    other.open()
    try:
        with other.removing(key), ThreadPoolExecutor(1) as reader:
            position = log.read(None).position
            arrival = reader.submit(_await_change, log, position, key)
            other.put(key, "changed")
            changed_s = time.perf_counter()
            arrived_s = arrival.result()
    finally:
        other.tier.close()
    if arrived_s is None:
        return problem(f"a change was missing in the change log {_ARRIVAL_S:g} s later", LOST_KEYS)
    delay_s = max(0.0, arrived_s - changed_s)
    return ok(f"a change by another user arrived after {seconds_text(delay_s)}")


def _await_change(log: ChangeLog, position: int, key: str) -> float | None:
    """When the change of `key` arrived; `None` if it did not."""
    ends_s = time.perf_counter() + _ARRIVAL_S
    while (left_s := ends_s - time.perf_counter()) > 0:
        log.wait(position, left_s)
        page = log.read(position)
        if not page.complete:
            return None
        if any(each.key == key for each in page.changes):
            return time.perf_counter()
        position = page.position
    return None
