"""Checks of one tier through its contract; the same for every kind of tier."""

from __future__ import annotations

import secrets
import statistics
import time
from typing import TYPE_CHECKING, Any, TypeVar

from tiered_cache.contracts import Found, Reach
from tiered_cache.diagnosis.change_log_check import check_changes
from tiered_cache.diagnosis.check_result import advise, ok, problem
from tiered_cache.diagnosis.checked_tier import unique_key
from tiered_cache.diagnosis.error_results import LOST_KEYS, REPORT
from tiered_cache.diagnosis.offer_check import check_offers
from tiered_cache.units import seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tiered_cache.contracts import Leases, Tier
    from tiered_cache.diagnosis.check_result import CheckResult
    from tiered_cache.diagnosis.check_runner import CheckRunner
    from tiered_cache.diagnosis.checked_tier import CheckedTier

__all__ = ["check_tier"]

T = TypeVar("T")

_READS = 20
_SLOW_S = {Reach.PROCESS: 0.001, Reach.HOST: 0.005, Reach.CLUSTER: 0.05}
_LEASE_S = 5.0


def check_tier(name: str, checked: CheckedTier, runner: CheckRunner) -> None:
    """Open a tier, check its contract, and close it. Leaves no value and no tombstone.

    Args:
        name: The name of the tier.
        checked: The tier; not opened yet.
        runner: Runs the checks.
    """
    tier = checked.tier
    try:
        if not runner.run(name, "open", lambda: _check_open(checked)):
            return
        key = unique_key()
        if not runner.run(name, "round trip", lambda: _check_round_trip(checked, key)):
            return
        runner.run(name, "reads", lambda: _check_reads(name, tier, key))
        runner.run(name, "deletion", lambda: _check_deletion(checked, key))
        leases, log = tier.offers.leases, tier.offers.change_log
        if leases is not None:
            runner.run(name, "lease", lambda: _check_lease(leases, key))
        if log is not None:
            runner.run(name, "changes", lambda: check_changes(log, checked.twin(), key))
        if tier.reach > Reach.PROCESS:
            runner.run(name, "offers", lambda: check_offers(tier))
    finally:
        tier.close()


def _check_open(checked: CheckedTier) -> CheckResult:
    checked.open()
    return ok(checked.tier.info().detail or "opened")


def _check_round_trip(checked: CheckedTier, key: str) -> CheckResult:
    """Fill a missing key, as a computation does, and read it back."""
    value = secrets.token_hex(500)
    with checked.removing(key):
        token = checked.tier.get(key).token
        stored, write_s = _timed(lambda: checked.fill(key, value, token))
        if not stored:
            return problem("the tier refused a value of 1 KB", REPORT)
        found, read_s = _timed(lambda: checked.tier.get(key))
        if not isinstance(found, Found):
            return problem("a value that was written was missing when read", LOST_KEYS)
        if checked.value_of(key, found) != value:
            return problem("the tier returned another value than was written", REPORT)
    return ok(f"wrote 1 KB in {seconds_text(write_s)}, read it in {seconds_text(read_s)}")


def _timed(call: Callable[[], T]) -> tuple[T, float]:
    started = time.perf_counter()
    result = call()
    return result, time.perf_counter() - started


def _check_reads(name: str, tier: Tier[Any], key: str) -> CheckResult:
    times = [_timed(lambda: tier.get(key))[1] for _ in range(_READS)]
    median_s = statistics.median(times)
    finding = (
        f"median of {_READS} reads: {seconds_text(median_s)}, slowest {seconds_text(max(times))}"
    )
    if median_s <= _SLOW_S[tier.reach]:
        return ok(finding)
    least = f"{max(1, round(median_s * 1e3))}ms"
    return advise(
        finding,
        "move the tier nearer: a local disk, a server in the same network; or keep values out "
        f'that are computed faster: admission.{name} = ["min_cost"] and '
        f'policies.min_cost.least = "{least}" in the settings',
    )


def _check_deletion(checked: CheckedTier, key: str) -> CheckResult:
    """Delete a key, and let a fill that began earlier try to bring it back (law 4)."""
    tier = checked.tier
    with checked.removing(key):
        checked.fill(key, "value")
        before = tier.get(key).token
        tier.delete(key)
        if isinstance(tier.get(key), Found):
            return problem("a deleted key is still present", REPORT)
        if checked.fill(key, "late", before):
            return problem("a fill that began before a deletion brought the value back", REPORT)
    return ok("a deleted key is gone, and a late fill does not bring it back")


def _check_lease(leases: Leases, key: str) -> CheckResult:
    owner = f"doctor:{secrets.token_hex(4)}"
    granted = leases.acquire(key, owner, _LEASE_S).granted
    try:
        renewed = leases.renew(key, owner, _LEASE_S)
    finally:
        leases.release(key, owner)
    if not granted or not renewed:
        return problem("a lease on a new key was not granted, or was lost", LOST_KEYS)
    return ok("acquired, renewed and released")
