"""Advice about a stack, derived from its statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tiered_cache.stats.snapshot.cache_stats import CacheStats, TierStats

__all__ = ["RULES", "Advice", "advise", "miss_seconds"]

MIN_LOOKUPS = 1000
"""Lookups of a tier, or hits of a function, below which no rule judges it."""

MIN_GAIN = 0.01
"""Growth of the hit rate at twice the size, below which a tier is large enough."""

NEVER_HIT = 0.001
"""Hit rate below which a tier is not worth asking."""

MIN_COMPUTES = 100
"""Computations below which no rule judges them."""

REPEATED = 0.5
"""Share of repeated computations from which they are reported."""

ENDED = 0.5
"""Share of the written entries that expired, from which a lifetime may be too short."""


class Advice(NamedTuple):
    """One finding that may be worth a change.

    Attributes:
        rule: The name of the rule in `RULES`.
        subject: The name of the tier or function; `""` for the cache as a whole.
        text: The finding and a remedy.
    """

    rule: str
    subject: str
    text: str


def advise(stats: CacheStats, span_s: float | None = None) -> tuple[Advice, ...]:
    """The findings of all rules about a snapshot, or about the difference of two.

    Args:
        stats: The snapshot.
        span_s: The seconds that it covers, to give savings by the hour; `None` if unknown.
    """
    if not stats.counted:
        return ()
    return tuple(each for rule in RULES.values() for each in rule(stats, span_s))


def miss_seconds(stats: CacheStats, tier: TierStats) -> float:
    """The mean seconds of a miss of a tier: reading the lower tiers, and computing."""
    place = [each.name for each in stats.tiers].index(tier.name)
    below = sum(each.read_seconds for each in stats.tiers[place + 1 :])
    return (below + stats.compute_seconds) / tier.misses if tier.misses else 0.0


def _too_small(stats: CacheStats, span_s: float | None) -> Iterator[Advice]:
    """A tier that would hit more often at twice its size, by its miss-ratio curve."""
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
            f"{_rounded(saved_s)} {when}.",
        )


def _never_hit(stats: CacheStats, span_s: float | None) -> Iterator[Advice]:
    """A tier without hits, which only slows lookups down."""
    del span_s
    for tier in stats.tiers:
        if tier.lookups >= MIN_LOOKUPS and tier.hits < NEVER_HIT * tier.lookups:
            yield Advice(
                "never-hit",
                tier.name,
                f"{tier.name} answered {tier.hits:,} of {tier.lookups:,} lookups and took "
                f"{_rounded(tier.read_seconds + tier.write_seconds)}: remove the tier, or find out "
                "why its entries are not looked up again.",
            )


def _does_not_pay(stats: CacheStats, span_s: float | None) -> Iterator[Advice]:
    """A tier or function with hits slower than computing: values too large or too cheap."""
    del span_s
    for tier in stats.tiers:
        if tier.hits >= MIN_LOOKUPS and tier.seconds_saved < 0:
            size = f" of {tier.read_bytes / tier.hits:,.0f} bytes" if tier.read_bytes else ""
            yield Advice(
                "does-not-pay",
                tier.name,
                f"Reading values{size} from {tier.name} took {_rounded(-tier.seconds_saved)} longer "
                "than computing them: keep large or cheap values out, by admission=BreakEven().",
            )
    for function in stats.functions:
        if function.hits >= MIN_LOOKUPS and function.seconds_saved < 0:
            yield Advice(
                "does-not-pay",
                function.name,
                f"Reading the results of {function.name} takes longer than computing them: "
                "don't cache it.",
            )


def _ttl_too_short(stats: CacheStats, span_s: float | None) -> Iterator[Advice]:
    """A tier in which most entries expire, while the same keys are computed again."""
    del span_s
    if stats.computes < MIN_COMPUTES or stats.recomputes < REPEATED * stats.computes:
        return
    for tier in stats.tiers:
        if tier.expirations > tier.evictions and tier.expirations >= ENDED * max(tier.writes, 1):
            yield Advice(
                "ttl-too-short",
                tier.name,
                f"In {tier.name} {tier.expirations:,} entries expired, and about "
                f"{stats.recomputes / stats.computes:.0%} of the computations repeated an earlier "
                "one: a longer ttl, or stale_for, would save them.",
            )


def _computed_again(stats: CacheStats, span_s: float | None) -> Iterator[Advice]:
    """Keys that one process computes again and again."""
    del span_s
    if stats.computes >= MIN_COMPUTES and stats.recomputes >= REPEATED * stats.computes:
        seconds = stats.compute_seconds * stats.recomputes / stats.computes
        yield Advice(
            "computed-again",
            "",
            f"About {stats.recomputes:,.0f} of {stats.computes:,} computations repeated an earlier "
            f"one, {_rounded(seconds)} of work: the entries are evicted, expire or are deleted too "
            "soon, or no tier admits them.",
        )


RULES: dict[str, Callable[[CacheStats, float | None], Iterator[Advice]]] = {
    "too-small": _too_small,
    "never-hit": _never_hit,
    "does-not-pay": _does_not_pay,
    "ttl-too-short": _ttl_too_short,
    "computed-again": _computed_again,
}
"""The rules by name, the most useful first."""


def _rounded(seconds: float) -> str:
    """Seconds, minutes or hours without decimals; advice is approximate."""
    for bound, unit, divisor in ((120.0, "s", 1.0), (7200.0, "min", 60.0)):
        if seconds < bound:
            return f"{seconds / divisor:.0f} {unit}" if seconds >= 1 else f"{seconds:.2g} s"
    return f"{seconds / 3600:.0f} h"
