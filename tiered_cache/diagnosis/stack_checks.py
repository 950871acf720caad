"""Checks of a stack as a whole: its settings, and a change by another user of it."""

from __future__ import annotations

import math
import secrets
import time
from typing import TYPE_CHECKING

from tiered_cache.config.stack_factory import check_stack
from tiered_cache.diagnosis.check_result import advise, ok, problem
from tiered_cache.diagnosis.checked_tier import TEST_LIFETIME_S, VIEW
from tiered_cache.diagnosis.neutral_stack import open_neutral
from tiered_cache.units import seconds_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.cache import TieredCache
    from tiered_cache.config import Settings
    from tiered_cache.config.installed import Installed
    from tiered_cache.config.schema import StackSettings
    from tiered_cache.diagnosis.check_result import CheckResult

__all__ = ["check_extensions", "check_settings", "check_staleness"]

_LONGEST_WAIT_S = 10.0
_SETTLED_S = 0.15
"""Longer than a new cache trusts its upper tiers without reading the change log."""

_POLL_S = 0.001


def check_settings(name: str, settings: Settings) -> CheckResult:
    """Whether the settings make a stack. Opens no tier."""
    check_stack(settings.stack(name))
    sources = {each.source for each in settings.resolved(name)} - {"default"}
    return ok(f"no mistakes; from {', '.join(sorted(sources)) or 'the defaults'}")


def check_extensions(found: Sequence[Installed]) -> CheckResult:
    """Whether the extensions of other packages can be used; the finding names each of them."""
    text = "; ".join(str(each) for each in found)
    wrong = [f"{each}: {each.problem}" for each in found if each.problem]
    if wrong:
        return advise("; ".join(wrong), "correct or uninstall the package")
    return ok(text)


def check_staleness(chosen: StackSettings) -> CheckResult:
    """Change a value that another user of the stack holds in its fastest tier."""
    with open_neutral(chosen) as here, open_neutral(chosen) as there:
        result = _change_and_wait(here, there)
        opened = [each for each in here.stats().tiers if each.breaker != "closed"]
    if opened:
        return problem(
            f"the breaker of {opened[0].name} opened: {opened[0].detail}",
            "check whether the tier is overloaded; if it is only slow, raise its timeout",
        )
    return result


def _change_and_wait(here: TieredCache, there: TieredCache) -> CheckResult:
    bound_s = here.staleness_bound
    key = f"probe-{secrets.token_hex(8)}"
    reader, writer = here.namespace(VIEW), there.namespace(VIEW)
    try:
        writer.set(key, "old", ttl=TEST_LIFETIME_S)
        time.sleep(_SETTLED_S)
        if reader.get(key) != "old":
            return problem(
                "a value that one user of the stack wrote is missing for another user",
                "check whether both share a tier, and what removes keys from it",
            )
        writer.set(key, "new", ttl=TEST_LIFETIME_S)
        seen_s = _wait_for_new(reader, key, min(bound_s, _LONGEST_WAIT_S) + 1.0)
    finally:
        writer.set(key, "", ttl=0.001)  # it expires, and leaves no tombstone
    return _judge_delay(seen_s, bound_s)


def _wait_for_new(reader: TieredCache, key: str, longest_s: float) -> float | None:
    """Seconds until `reader` serves the new value; `None` if it does not within `longest_s`."""
    changed_s = time.perf_counter()
    while reader.get(key) != "new":
        if time.perf_counter() > changed_s + longest_s:
            return None
        time.sleep(_POLL_S)
    return time.perf_counter() - changed_s


def _judge_delay(seen_s: float | None, bound_s: float) -> CheckResult:
    if seen_s is None:
        return problem(
            f"a change elsewhere was still unseen after the bound of {bound_s:g} s",
            "fix the problems of the tiers above",
        )
    finding = f"a change elsewhere was seen after {seconds_text(seen_s)}"
    if math.isinf(bound_s):
        return advise(
            f"{finding}, but no bound holds while the change log can't be read",
            'set coherence.when_cut to "skip", or set max_ttl for the tiers above the shared one',
        )
    return ok(f"{finding}; bound {bound_s:g} s")
