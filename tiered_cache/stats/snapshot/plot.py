"""The tiers of a snapshot as a figure of `matplotlib`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tiered_cache.errors import ConfigurationError, MissingExtraError
from tiered_cache.stats.snapshot.tier_stats import CURVE_SIZES

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from tiered_cache.stats.snapshot.tier_stats import TierStats

__all__ = ["plot"]

_OUTCOMES = {
    "hits": "#2a7f62",
    "stale_hits": "#8fbf7f",
    "misses": "#c9c9c9",
    "errors": "#b3372e",
    "skips": "#e0a458",
}
_QUANTILES = {0.5: "median", 0.95: "95 %", 0.99: "99 %"}


def plot(tiers: Sequence[TierStats], path: str | os.PathLike[str] | None = None) -> Any:
    """Draw the outcomes of lookups, the times of reads, and the curves of tiers that have one.

    Args:
        tiers: The tiers, fastest first.
        path: The file to save the figure in, with the suffix `.png` or `.svg`; `None` saves nothing.

    Returns:
        The `matplotlib` figure, which a notebook shows.

    Raises:
        MissingExtraError: `matplotlib` is not installed.
        ConfigurationError: `path` has another suffix.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        msg = "plot() needs matplotlib: pip install 'tiered-cache[plot]'"
        raise MissingExtraError(msg) from error
    if path is not None and not str(path).lower().endswith((".png", ".svg")):
        msg = f"path={str(path)!r} must end in .png or .svg"
        raise ConfigurationError(msg)
    known = [tier for tier in tiers if tier.hit_rate_at(1.0) is not None]
    figure = Figure(figsize=(12 if known else 8.5, 3.6), layout="constrained")
    axes = figure.subplots(1, 3 if known else 2)
    _draw_outcomes(axes[0], tiers)
    _draw_latencies(axes[1], tiers)
    if known:
        _draw_curves(axes[2], known)
    if path is not None:
        figure.savefig(path)
    return figure


def _draw_outcomes(axes: Any, tiers: Sequence[TierStats]) -> None:
    names = [tier.name for tier in tiers]
    left = [0] * len(tiers)
    for outcome, colour in _OUTCOMES.items():
        counts = [getattr(tier, outcome) for tier in tiers]
        if any(counts):
            label = outcome.replace("_", " ")
            axes.barh(names, counts, left=left, color=colour, label=label)
            left = [before + count for before, count in zip(left, counts, strict=True)]
    for name, tier, end in zip(names, tiers, left, strict=True):
        if tier.lookups:
            axes.annotate(f" {tier.hit_rate:.0%}", (end, name), va="center")
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set(title="Lookups", xlabel="lookups that reached the tier; share of hits")
    _legend(axes)


def _draw_latencies(axes: Any, tiers: Sequence[TierStats]) -> None:
    timed = [tier for tier in tiers if tier.timed_reads]
    names = [tier.name for tier in timed]
    axes.plot([tier.mean_read_s for tier in timed], names, "o", color="#2b4c7e", label="mean")
    for (share, label), marker in zip(_QUANTILES.items(), "|x+", strict=True):
        kept = [tier for tier in timed if tier.read_latency]
        quantiles = [tier.read_latency.quantile(share) for tier in kept if tier.read_latency]
        if kept:
            axes.plot(quantiles, [tier.name for tier in kept], marker, color="#555555", label=label)
    axes.invert_yaxis()
    axes.margins(y=0.3)
    axes.grid(visible=True, axis="x", alpha=0.3)
    axes.set(title="Reads", xlabel="seconds")
    if timed:
        axes.set_xscale("log")
    _legend(axes)


def _draw_curves(axes: Any, tiers: Sequence[TierStats]) -> None:
    for tier in tiers:
        axes.plot(CURVE_SIZES, [tier.hit_rate_at(size) for size in CURVE_SIZES], label=tier.name)
    axes.axvline(1.0, color="#999999", linestyle=":")
    axes.grid(visible=True, alpha=0.3)
    axes.set_xscale("log", base=2)
    axes.set(title="What if", xlabel="size, in present sizes", ylabel="hit rate", ylim=(0, 1))
    _legend(axes)


def _legend(axes: Any) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small")
