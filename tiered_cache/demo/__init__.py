"""The demo: analyses of a source tree, cold, warm, after a restart and on a second machine.

The command line imports `run_demo`; nothing else imports the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["run_demo"]


def run_demo(
    path: Path | None = None,
    *,
    jobs: int = 1,
    redis: bool = True,
    keep: Path | None = None,
    dashboard_port: int | None = None,
    as_json: bool = False,
) -> bool:
    """Run the demo and print its report; whether all runs gave the same answers.

    Args:
        path: The source tree, or one file; by default Python's standard library.
        jobs: Processes in each run.
        redis: Whether to start a Valkey server, and to run on a second machine.
        keep: Directory for the first machine's disk, which stays there.
        dashboard_port: Port of a live dashboard, which stays until Ctrl-C; 0 for any free port.
        as_json: Print one JSON document instead of the report.

    Raises:
        MissingExtraError: The extra `[demo]` is not installed, or `[dashboard]` for the dashboard.
        ConfigurationError: There is nothing to analyse, or `keep` holds other files.
        TieredCacheError: A process of the demo ended too early.
    """
    _check_extra()
    from tiered_cache.demo.demonstration import demonstrate
    from tiered_cache.demo.kept_disk import KeptDisk
    from tiered_cache.demo.live_dashboard import LiveDashboard
    from tiered_cache.demo.report import DemoReport
    from tiered_cache.demo.source_tree import find_sources, standard_library

    return demonstrate(
        standard_library() if path is None else find_sources(path),
        DemoReport(as_json=as_json),
        jobs=jobs,
        redis=redis,
        kept=None if keep is None else KeptDisk(keep),
        page=None if dashboard_port is None else LiveDashboard(dashboard_port),
    )


def _check_extra() -> None:
    from importlib.util import find_spec

    from tiered_cache.errors import MissingExtraError

    missing = [name for name in ("rich", "radon", "pyflakes") if find_spec(name) is None]
    if missing:
        msg = f"the demo needs {' and '.join(missing)}: pip install 'tiered-cache[demo]'"
        raise MissingExtraError(msg)
