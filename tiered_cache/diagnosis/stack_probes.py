"""Probes of a stack as a whole: its settings, its keys, its journal, and one user hearing another."""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING, Any

from tiered_cache.codec.host_key import default_host_key_path, read_host_key
from tiered_cache.config.build import check_stack, make_stack
from tiered_cache.contracts import Reach
from tiered_cache.diagnosis.findings import advise, fine, wrong
from tiered_cache.diagnosis.tier_probes import PROBE_LIFETIME_S, VIEW, milliseconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tiered_cache.cache import TieredCache
    from tiered_cache.config import Settings
    from tiered_cache.config.schema import StackSettings
    from tiered_cache.contracts import Tier
    from tiered_cache.diagnosis.findings import Finding

__all__ = ["hear_each_other", "judge_journal", "judge_keys", "judge_settings"]

_LONGEST_WAIT_S = 10.0
_SETTLED_S = 0.15
_POLL_S = 0.001
_NEUTRAL: dict[str, Any] = {
    "writing": "write_through",
    "promotion": "always",
    "admission": {},
    "expiry": [],
    "refreshing": None,
    "statistics": "off",
    "strict": False,
}
"""For the probe, policies that keep it out of no tier, and that take over no journal."""


def judge_settings(name: str, settings: Settings) -> Finding:
    """Whether the settings make a cache, as far as that can be told without opening a tier."""
    check_stack(settings.stack(name))
    sources = {each.source for each in settings.resolved(name)} - {"default"}
    return fine(f"no mistakes; from {', '.join(sorted(sources)) or 'the defaults'}")


def judge_keys(chosen: StackSettings, tiers: Sequence[Tier]) -> Finding:
    """Whether values can be signed that are written as pickles."""
    if chosen.signing_key is not None:
        return fine("all records are signed with the signing key of the settings")
    for tier in tiers:
        if tier.holds_records and tier.reach is Reach.CLUSTER:
            return advise(
                f"there is no signing key: values that must be pickled are kept out of {tier.name}",
                "set TIERED_CACHE_SIGNING_KEY to the same secret of 16 bytes and more on every "
                "host, or cache plain data and registered types only",
            )
    if any(tier.holds_records for tier in tiers):
        return _judge_host_key(default_host_key_path())
    return fine("nothing is written outside of memory")


def _judge_host_key(path: Path) -> Finding:
    if read_host_key(path) is not None:
        return fine(f"values that must be pickled are signed with {path}")
    standing = path.parent
    while not standing.exists():
        standing = standing.parent
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        return wrong(
            f"the host key {path} can't be made: {standing} can't be written",
            "make it writable, or set TIERED_CACHE_SIGNING_KEY",
        )
    return fine(f"{path} is made when the first value must be pickled")


def judge_journal(chosen: StackSettings) -> Finding:
    """Whether queued writes wait on this host's disk that nobody writes."""
    with _open(chosen) as cache:
        entries = cache.journal()
    parked = [each for each in entries if each.trouble]
    left = [each for each in entries if each.owner == "dead" and not each.trouble]
    if parked:
        return wrong(
            f"given up: {len(parked)} writes, the first because: {parked[0].trouble}",
            "tiered-cache journal list, then retry or drop",
        )
    if left:
        return advise(
            f"left by processes that died: {len(left)} writes",
            "start your program, or tiered-cache journal retry",
        )
    if entries:
        return fine(f"waiting: {len(entries)} writes, each in a process that runs")
    return fine("nothing waits to be written")


def hear_each_other(chosen: StackSettings) -> Finding:
    """Let one user of the stack change a value that another one has in its fastest tier."""
    with _open(chosen) as here, _open(chosen) as there:
        finding = _change_and_wait(here, there)
        open_ones = [each for each in here.stats().tiers if each.breaker != "closed"]
    if open_ones:
        return wrong(
            f"the breaker of {open_ones[0].name} opened: {open_ones[0].detail}",
            "see whether it is overloaded, and raise its timeout if it is only slow",
        )
    return finding


def _open(chosen: StackSettings) -> TieredCache:
    return make_stack(chosen.model_copy(update=_NEUTRAL))


def _change_and_wait(here: TieredCache, there: TieredCache) -> Finding:
    bound_s = here.staleness_bound
    key = f"probe-{secrets.token_hex(8)}"
    reader, writer = here.namespace(VIEW), there.namespace(VIEW)
    try:
        writer.set(key, "old", ttl=PROBE_LIFETIME_S)
        time.sleep(_SETTLED_S)  # past the time for which a cache that was just opened asks nobody
        if reader.get(key) != "old":
            return wrong(
                "what one user of the stack wrote, another one does not see",
                "see whether they share a tier, and what else removes keys from it",
            )
        writer.set(key, "new", ttl=PROBE_LIFETIME_S)
        changed_s = time.perf_counter()
        ends_s = changed_s + min(bound_s, _LONGEST_WAIT_S) + 1.0
        while reader.get(key) != "new":
            if time.perf_counter() > ends_s:
                return wrong(
                    f"a change elsewhere was not seen here {ends_s - changed_s:.1f} s later",
                    "see the findings of each tier above",
                )
            time.sleep(_POLL_S)
        heard_s = time.perf_counter() - changed_s
    finally:
        writer.set(key, "", ttl=0.001)  # leaves neither a value nor the mark of a deletion
    if bound_s == float("inf"):
        return advise(
            f"a change elsewhere was seen after {milliseconds(heard_s)}, and nothing bounds it",
            'set coherence.when_cut to "skip", or a max_ttl for the tiers above the shared one',
        )
    return fine(f"a change elsewhere was seen after {milliseconds(heard_s)}; bound {bound_s:g} s")
