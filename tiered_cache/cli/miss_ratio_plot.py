"""Miss-ratio curves drawn into a file, by matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.errors import ConfigurationError, MissingExtraError

if TYPE_CHECKING:
    from tiered_cache.cli.simulation import Curves

__all__ = ["check_plot", "draw_plot"]


def check_plot(path: str) -> None:
    """Check that curves can be drawn into `path`, before the replays take their time.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ConfigurationError: The file's type is not known.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        msg = "--plot needs matplotlib: pip install 'tiered-cache[plot]'"
        raise MissingExtraError(msg) from error
    if not path.lower().endswith((".png", ".svg")):
        msg = f"--plot={path!r} must end in .png or .svg"
        raise ConfigurationError(msg)
    mpl.use("Agg")


def draw_plot(path: str, curves: Curves, *, unit: str) -> None:
    """Draw a curve for each policy: its miss ratio by capacity, in `unit`."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for name, found in curves.items():
        sizes = sorted(found)
        axes.plot(sizes, [1 - found[size].hit_ratio for size in sizes], marker="o", label=name)
    axes.set(xscale="log", xlabel=unit, ylabel="miss ratio", ylim=(0, None))
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(path)
    plt.close(figure)
