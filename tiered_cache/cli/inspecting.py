"""`stats` and `explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.cli.exits import NO, OK, UNAVAILABLE
from tiered_cache.cli.output import finite, print_json, print_table
from tiered_cache.cli.stack import OpenStack

if TYPE_CHECKING:
    import argparse

    from tiered_cache.cache import TieredCache

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed."""
    stack = OpenStack(arguments)
    with stack as cache:
        if arguments.command == "stats":
            return _stats(cache, arguments)
        present = _explain(cache, arguments)
        if present:
            return OK
        return UNAVAILABLE if stack.unreached() else NO


def _stats(cache: TieredCache, arguments: argparse.Namespace) -> int:
    stats = cache.stats()
    if arguments.json:
        print_json(stats.to_dict())
    else:
        rows = [
            (
                tier.name,
                tier.breaker,
                _number(tier.entries, tier.max_entries),
                _number(tier.bytes, tier.max_bytes),
                "" if tier.lag is None else _seconds(tier.lag.behind_s),
                tier.detail,
            )
            for tier in stats.tiers
        ]
        print_table(
            ("tier", "breaker", "entries", "bytes", "behind", "where, or what is wrong"), rows
        )
    return OK if all(tier.breaker == "closed" for tier in stats.tiers) else UNAVAILABLE


def _explain(cache: TieredCache, arguments: argparse.Namespace) -> bool:
    """Print what the tiers say; whether one has the key."""
    tiers = cache.explain(arguments.key)
    if arguments.json:
        print_json([{**each._asdict(), "remaining_s": finite(each.remaining_s)} for each in tiers])
    else:
        rows = [
            (
                each.tier,
                "yes" if each.present else "no",
                _seconds(each.age_s),
                _seconds(each.remaining_s),
                "" if each.bytes is None else each.bytes,
                each.why,
            )
            for each in tiers
        ]
        print_table(("tier", "present", "age", "remaining", "bytes", "why"), rows)
    return any(each.present for each in tiers)


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return "no limit" if seconds == float("inf") else f"{seconds:.1f} s"


def _number(value: int | None, bound: int | None) -> str:
    if value is None:
        return "not known"
    return f"{value:,}" if bound is None else f"{value:,} of {bound:,}"
