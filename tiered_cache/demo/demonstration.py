"""The demo from its introduction to its last line."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tiered_cache.demo import runs
from tiered_cache.demo.run_results import first_difference

if TYPE_CHECKING:
    from tiered_cache.demo.kept_disk import KeptDisk
    from tiered_cache.demo.live_dashboard import LiveDashboard
    from tiered_cache.demo.report import DemoReport
    from tiered_cache.demo.source_tree import SourceTree

__all__ = ["demonstrate"]


def demonstrate(
    tree: SourceTree,
    report: DemoReport,
    *,
    jobs: int,
    redis: bool,
    kept: KeptDisk | None,
    page: LiveDashboard | None,
) -> bool:
    """Run the demo and print its report; whether all runs gave the same answers.

    Args:
        tree: The files to analyse.
        report: Prints the results.
        jobs: Processes in each run.
        redis: Whether to start a server, and to run on a second machine.
        kept: The first machine's disk, if it is to stay.
        page: The dashboard, if there is one. It stays until Ctrl-C.
    """
    report.introduce(tree, jobs, redis=redis, page_url=None if page is None else page.url)
    with contextlib.ExitStack() as until_the_end:
        with report.progress() as progress:
            doing = runs.all_runs(
                tree,
                jobs=jobs,
                redis=redis,
                progress=progress,
                first_disk=None if kept is None else kept.disk,
                beside=contextlib.nullcontext if page is None else page.served,
            )
            result = until_the_end.enter_context(doing)
        difference = first_difference(result.runs)
        report.conclude(result, difference)
        if page is not None:
            report.point_to_page(page.url)
            page.wait_for_interrupt()
        elif difference is None:
            report.point_to_dashboard(None if kept is None else kept.dashboard_command)
    return difference is None
