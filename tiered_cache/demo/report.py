"""The demo's report on the terminal: introduction, progress, table and conclusion."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from tiered_cache._terminal.json_output import print_json
from tiered_cache._terminal.messages import printable, say
from tiered_cache.demo.json_report import json_report
from tiered_cache.demo.summary import conclusion, introduction, runs_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import TaskID

    from tiered_cache.demo.run_results import DemoResult
    from tiered_cache.demo.runs import RunProgress
    from tiered_cache.demo.source_tree import SourceTree

__all__ = ["DemoReport"]


class DemoReport:
    """Prints the report, or one JSON document, to standard output.

    Progress goes to standard error, if that is a terminal. Colours go to terminals only, and not
    where `NO_COLOR` is set.

    Args:
        as_json: Print the document.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(highlight=False, emoji=False, markup=False, soft_wrap=False)

    def introduce(self, tree: SourceTree, jobs: int, *, redis: bool, page_url: str | None) -> None:
        """Print the plan of the demo, and the URL of its dashboard."""
        if not self._as_json:
            for line in introduction(tree, jobs, redis=redis):
                self._console.print(line)
        if page_url is not None:
            say(f"The dashboard is at {page_url} while the demo runs.")

    @contextlib.contextmanager
    def progress(self) -> Iterator[RunProgress]:
        """A bar for each run while the block runs."""
        console = Console(stderr=True, highlight=False, emoji=False)
        with Progress(
            TextColumn("{task.description:<10}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} files", markup=False),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as bars:
            yield _RunBars(bars)

    def conclude(self, result: DemoResult, difference: tuple[str, str] | None) -> None:
        """Print the table of runs, its meaning and the verdict, or the document."""
        if self._as_json:
            print_json(json_report(result, difference))
            return
        utf8 = self._console.encoding.lower().startswith("utf")
        microseconds = "µs" if utf8 else "us"
        self._console.print(runs_table(result, microseconds=microseconds))
        self._console.print()
        for paragraph in conclusion(result, microseconds=microseconds):
            self._console.print(paragraph)
        self._console.print()
        self._print_verdict(result, difference)

    def _print_verdict(self, result: DemoResult, difference: tuple[str, str] | None) -> None:
        cold = result.runs[0]
        if difference is None:
            verdict = f"Identical in all {len(result.runs)} runs: {cold.lookups:,} answers."
            self._console.print(verdict, style="green")
            return
        name, run = difference
        verdict = (
            f"NOT IDENTICAL: {printable(name)} has other answers in the run {run!r} than in "
            f"{cold.name!r}."
        )
        self._console.print(verdict, style="bold red")

    def point_to_page(self, url: str) -> None:
        """Say that the dashboard stays."""
        say(f"\nThe dashboard stays at {url} until you press Ctrl-C.")

    def point_to_dashboard(self, command: str | None) -> None:
        """Print the command that shows the kept disk, or one that shows the next demo live."""
        if self._as_json:
            return
        if command is None:
            command, title = "tiered-cache demo --dashboard", "Watch it in a browser while it runs:"
        else:
            title = "Look at it in a browser:"
        self._console.print()
        # Not wrapped, so that the command can be copied.
        self._console.print(f"{title}\n  {command}", soft_wrap=True)


class _RunBars:
    """Shows each run as a bar. Implements `RunProgress`."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def begin(self, title: str, files: int) -> None:
        self._task = self._bars.add_task(title, total=files)

    def advance(self, files: int) -> None:
        if self._task is not None:
            self._bars.update(self._task, completed=files)
