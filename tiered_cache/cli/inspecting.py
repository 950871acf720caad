"""`explain`."""

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
        present = _explain(cache, arguments)
        if present:
            return OK
        return UNAVAILABLE if stack.unreached() else NO


def _explain(cache: TieredCache, arguments: argparse.Namespace) -> bool:
    """Print what the tiers say; whether one has the key."""
    tiers = cache.explain(arguments.key)
    if arguments.json:
        print_json(
            [
                {
                    **each._asdict(),
                    "remaining_s": finite(each.remaining_s),
                    "tags": sorted(each.tags),
                }
                for each in tiers
            ]
        )
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
