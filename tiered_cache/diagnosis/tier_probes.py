"""Probes of one tier through its contract: what every tier must do, whatever it is made of."""

from __future__ import annotations

import math
import secrets
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tiered_cache.clock import SYSTEM_CLOCK
from tiered_cache.contracts import Found, Reach, TierContext
from tiered_cache.contracts.change_log import LoggedTier
from tiered_cache.contracts.leases import LeaseTier
from tiered_cache.diagnosis.findings import advise, fine, wrong
from tiered_cache.entry import Entry
from tiered_cache.keys import VIEW_SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiered_cache.contracts import Codec, Tier
    from tiered_cache.diagnosis.findings import Finding
    from tiered_cache.diagnosis.notes import Notes

__all__ = ["PROBE_LIFETIME_S", "VIEW", "Place", "milliseconds", "probe_key", "probe_tier"]

VIEW = "tiered-cache-doctor"
"""The view that all keys of probes are in: no key of a cache's own can be among them."""

PROBE_LIFETIME_S = 30.0
"""How long a probe's value lives if the diagnosis is killed before it removes it."""

_READS = 20
_SLOW_S = {Reach.PROCESS: 0.001, Reach.HOST: 0.005, Reach.CLUSTER: 0.05}
_LEASE_S = 5.0
_HEARD_S = 2.0
_GONE_S = 0.001


class Place(NamedTuple):
    """Where a tier is in the settings.

    Attributes:
        name: Its name.
        namespace: The stack's.
        codec: The stack's.
        make: Makes a tier like it.
    """

    name: str
    namespace: str
    codec: Codec
    make: Callable[[], Tier]


def probe_key() -> str:
    """A key that nobody else uses."""
    return f"{VIEW_SEPARATOR}{VIEW}{VIEW_SEPARATOR}{secrets.token_hex(8)}"


def milliseconds(seconds: float) -> str:
    """A time for people, to three digits."""
    return f"{seconds * 1e3:.3g} ms"


def probe_tier(place: Place, notes: Notes) -> None:
    """Open a tier, and see whether it does what it must; leaves nothing in it."""
    tier = place.make()
    if not notes.look(place.name, "open", lambda: _open(tier, place)):
        tier.close()
        return
    key = probe_key()
    try:
        if notes.look(place.name, "round trip", lambda: _round_trip(tier, place, key)):
            notes.look(place.name, "reads", lambda: _time_reads(tier, key))
            notes.look(place.name, "deletion", lambda: _delete(tier, place, key))
            if isinstance(tier, LeaseTier):
                notes.look(place.name, "lease", lambda: _lease(tier, key))
            if isinstance(tier, LoggedTier):
                notes.look(place.name, "changes", lambda: _hear(tier, place, key))
    finally:
        tier.close()


def _open(tier: Tier, place: Place) -> Finding:
    tier.open(_context(place, "here"))
    return fine(tier.info().detail or "opened")


def _context(place: Place, who: str) -> TierContext:
    origin = f"doctor:{who}:{secrets.token_hex(4)}"
    return TierContext(
        namespace=place.namespace,
        clock=SYSTEM_CLOCK,
        evicted=lambda _key, _size_bytes, _reason: None,
        fingerprint=place.codec.fingerprint,
        mutated=lambda _key: None,
        window_s=lambda _lifetime_s, _cost_s: 0.0,
        origin=lambda: origin,
        trusted_until=lambda: math.inf,
    )


def _item(tier: Tier, place: Place, key: str, value: str) -> Entry | bytes:
    now_s = SYSTEM_CLOCK.wall()
    entry = Entry(value, created_s=now_s, fresh_until_s=now_s + PROBE_LIFETIME_S)
    return place.codec.encode(key, entry, tier.reach) if tier.holds_records else entry


@contextmanager
def _removing(tier: Tier, place: Place, key: str) -> Iterator[None]:
    """Leave neither a value nor a tombstone: what has a lifetime of a millisecond is gone."""
    try:
        yield
    finally:
        tier.put(key, _item(tier, place, key, ""), _GONE_S, fill=True)


def _round_trip(tier: Tier, place: Place, key: str) -> Finding:
    """Fill a missing key as a computation does, and read it again."""
    value = secrets.token_hex(500)
    with _removing(tier, place, key):
        token = tier.get(key).token
        item = _item(tier, place, key, value)
        started = time.perf_counter()
        stored = tier.put(key, item, PROBE_LIFETIME_S, expected=token, fill=True)
        written_s = time.perf_counter() - started
        if not stored:
            return wrong(
                "it refused a value that fitted", "report it to whoever maintains the tier"
            )
        started = time.perf_counter()
        found = tier.get(key)
        read_s = time.perf_counter() - started
        if not isinstance(found, Found):
            return wrong(
                "what was written was not there afterwards",
                "see what else removes keys: an eviction policy, too small a limit, a FLUSHALL",
            )
        entry = place.codec.decode(key, found.item) if isinstance(found.item, bytes) else found.item
        if entry.value != value:
            return wrong(
                "it gave back another value than it was given",
                "report it to whoever maintains the tier",
            )
    return fine(f"wrote 1 KB in {milliseconds(written_s)}, read it in {milliseconds(read_s)}")


def _time_reads(tier: Tier, key: str) -> Finding:
    times = []
    for _ in range(_READS):
        started = time.perf_counter()
        tier.get(key)
        times.append(time.perf_counter() - started)
    median_s = statistics.median(times)
    text = f"median of {_READS}: {milliseconds(median_s)}, slowest {milliseconds(max(times))}"
    if median_s > _SLOW_S[tier.reach]:
        return advise(
            text,
            "keep values out of it that are computed faster than that, by an admission policy such "
            "as min_cost; or bring it nearer: a local disk, a server in the same network",
        )
    return fine(text)


def _delete(tier: Tier, place: Place, key: str) -> Finding:
    with _removing(tier, place, key):
        tier.put(key, _item(tier, place, key, "value"), PROBE_LIFETIME_S, fill=True)
        before = tier.get(key).token
        tier.delete(key)
        if isinstance(tier.get(key), Found):
            return wrong("a deleted key is still there", "report it to whoever maintains the tier")
        late = _item(tier, place, key, "late")
        if tier.put(key, late, PROBE_LIFETIME_S, expected=before, fill=True):
            return wrong(
                "a fill that began before the deletion brought the value back",
                "report it to whoever maintains the tier",
            )
    return fine("a deleted key is gone, and a late fill does not bring it back")


def _lease(tier: LeaseTier, key: str) -> Finding:
    leases, owner = tier.leases, f"doctor:{secrets.token_hex(4)}"
    granted = leases.acquire(key, owner, _LEASE_S).granted
    try:
        renewed = leases.renew(key, owner, _LEASE_S)
    finally:
        leases.release(key, owner)
    if not granted or not renewed:
        return wrong(
            "a lease that nobody else asked for was not granted and kept",
            "see what else removes keys: an eviction policy, a FLUSHALL",
        )
    return fine("taken, renewed and given back")


def _hear(tier: LoggedTier, place: Place, key: str) -> Finding:
    """Change a key as somebody else, and wait until the log tells of it."""
    there = place.make()
    there.open(_context(place, "there"))
    try:
        with _removing(there, place, key), ThreadPoolExecutor(1) as other:
            log = tier.log
            position = log.read(None).position
            hearing = other.submit(_await, tier, position, key)
            item = _item(there, place, key, "changed")
            there.put(key, item, PROBE_LIFETIME_S)
            changed_s = time.perf_counter()
            heard_s = hearing.result()
    finally:
        there.close()
    if heard_s is None:
        return wrong(
            f"a change was not in the log {_HEARD_S:g} s later",
            "see what else removes keys: an eviction policy, a FLUSHALL",
        )
    delay_s = max(0.0, heard_s - changed_s)
    return fine(f"a change by somebody else arrived after {milliseconds(delay_s)}")


def _await(tier: LoggedTier, position: int, key: str) -> float | None:
    """When a change was heard of; `None` if it was not."""
    ends_s = time.perf_counter() + _HEARD_S
    while (left_s := ends_s - time.perf_counter()) > 0:
        tier.log.wait(position, left_s)
        page = tier.log.read(position)
        if not page.complete:
            return None
        if any(each.key == key for each in page.changes):
            return time.perf_counter()
        position = page.position
    return None
