"""What the numbers say about a stack, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiered_cache.stats.snapshot.cache_stats import CacheStats, TierStats

__all__ = ["RULES", "Advice", "advise", "miss_seconds"]

MIN_LOOKUPS = 1000
"""How many lookups a tier must have seen before anything is said about it."""

MIN_GAIN = 0.01
"""How much the hit rate must grow, in a tier twice as large, for that to be worth a word."""

NEVER_HIT = 0.001
"""Below which hit rate a tier is not worth asking."""

MIN_COMPUTES = 100
"""How many computations there must have been before anything is said about them."""

REPEATED = 0.5
"""The share of computations of keys that were computed before from which that is worth a word."""

ENDED = 0.5
"""The share of what was written that ended by itself from which a lifetime may be too short."""


class Advice(NamedTuple):
    """One thing that may be worth a change.

    Attributes:
        rule: Which of `RULES` says so.
        subject: The name of the tier or function; `""` for the cache as a whole.
        text: What was found, and what could be done.
    """

    rule: str
    subject: str
    text: str


def advise(stats: CacheStats, span_s: float | None = None) -> tuple[Advice, ...]:
    """What is to be said about a snapshot, or about the difference of two; nothing if all is well.

    Args:
        stats: The snapshot.
        span_s: The seconds that it covers, to tell savings by the hour; `None` if not known.
    """
    if not stats.counted:
        return ()
    return tuple(each for rule in RULES.values() for each in rule(stats, span_s))


def miss_seconds(stats: CacheStats, tier: TierStats) -> float:
    """The mean seconds that a miss of a tier costs: reading the tiers below, and computing."""
    place = [each.name for each in stats.tiers].index(tier.name)
    below = sum(each.read_seconds for each in stats.tiers[place + 1 :])
    return (below + stats.compute_seconds) / tier.misses if tier.misses else 0.0


def _too_small(stats: CacheStats, span_s: float | None) -> Iterator[Advice]:
    """A tier that would hit more often, were it twice as large, by its miss-ratio curve."""
    for tier in stats.tiers:
        larger = tier.hit_rate_at(2.0) if tier.lookups >= MIN_LOOKUPS else None
        if larger is None or larger - tier.hit_rate < MIN_GAIN:
            continue
        saved_s = (larger - tier.hit_rate) * tier.lookups * miss_seconds(stats, tier)
        when = "saved so far"
        if span_s:
            saved_s, when = saved_s * 3600 / span_s, "an hour saved"
        yield Advice(
            "too-small",
            tier.name,
            f"{tier.name} twice as large: hit rate {tier.hit_rate:.0%} -> {larger:.0%}, "
            f"{_seconds(saved_s)} {when}.",
        )


def _never_hit(stats: CacheStats, span_s: float | None) -> Iterator[Advice]:
    """A tier that is asked for nothing: each lookup that comes by pays for it."""
    del span_s
    for tier in stats.tiers:
        if tier.lookups >= MIN_LOOKUPS and tier.hits < NEVER_HIT * tier.lookups:
            yield Advice(
                "never-hit",
                tier.name,
                f"{tier.name} answered {tier.hits:,} of {tier.lookups:,} lookups and took "
                f"{_seconds(tier.read_seconds + tier.write_seconds)}: leave it out, or find out why "
                "what is stored there is not asked for again.",
            )


def _does_not_pay(stats: CacheStats, span_s: float | None) -> Iterator[Advice]:
    """A tier whose hits take longer than computing their values: too large, or too cheap."""
    del span_s
    for tier in stats.tiers:
        if tier.hits >= MIN_LOOKUPS and tier.seconds_saved < 0:
            size = f" of {tier.read_bytes / tier.hits:,.0f} bytes" if tier.read_bytes else ""
            yield Advice(
                "does-not-pay",
                tier.name,
                f"Reading values{size} from {tier.name} took {_seconds(-tier.seconds_saved)} longer "
                "than computing them did: keep out what is large or cheap, by admission=BreakEven().",
            )
    for function in stats.functions:
        if function.hits >= MIN_LOOKUPS and function.seconds_saved < 0:
            yield Advice(
                "does-not-pay",
                function.name,
                f"{function.name} computes faster than its results are read: don't cache it.",
            )


def _ttl_too_short(stats: CacheStats, span_s: float | None) -> Iterator[Advice]:
    """A tier in which most entries end by themselves, while they are computed anew."""
    del span_s
    if stats.computes < MIN_COMPUTES or stats.recomputes < REPEATED * stats.computes:
        return
    for tier in stats.tiers:
        if tier.expirations > tier.evictions and tier.expirations >= ENDED * max(tier.writes, 1):
            yield Advice(
                "ttl-too-short",
                tier.name,
                f"In {tier.name} {tier.expirations:,} entries reached the end of their lifetime, "
                f"and about {stats.recomputes / stats.computes:.0%} of the computations repeated an "
                "earlier one: a longer ttl, or stale_for, would save them.",
            )


def _computed_again(stats: CacheStats, span_s: float | None) -> Iterator[Advice]:
    """Keys that one process computes again and again, whatever lets go of them."""
    del span_s
    if stats.computes >= MIN_COMPUTES and stats.recomputes >= REPEATED * stats.computes:
        seconds = stats.compute_seconds * stats.recomputes / stats.computes
        yield Advice(
            "computed-again",
            "",
            f"About {stats.recomputes:,.0f} of {stats.computes:,} computations were of keys that had "
            f"been computed before, {_seconds(seconds)} of work: they are let go of, end or are "
            "deleted too soon, or no tier takes them.",
        )


RULES: dict[str, Callable[[CacheStats, float | None], Iterator[Advice]]] = {
    "too-small": _too_small,
    "never-hit": _never_hit,
    "does-not-pay": _does_not_pay,
    "ttl-too-short": _ttl_too_short,
    "computed-again": _computed_again,
}
"""The rules by name, the most useful first."""


def _seconds(seconds: float) -> str:
    for bound, unit, divisor in ((120.0, "s", 1.0), (7200.0, "min", 60.0)):
        if seconds < bound:
            return f"{seconds / divisor:.0f} {unit}" if seconds >= 1 else f"{seconds:.2g} s"
    return f"{seconds / 3600:.0f} h"
