"""What the demo prints: an introduction, progress, one table and what it means."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from tiered_cache.cli.output import print_json, printable, say
from tiered_cache.demo.document import document
from tiered_cache.demo.wording import conclusion, introduction, runs_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import TaskID

    from tiered_cache.demo.keeping import Keep
    from tiered_cache.demo.onlooking import Page
    from tiered_cache.demo.runs import Demo, Watcher
    from tiered_cache.demo.tree import Tree

__all__ = ["Report"]


class Report:
    """Prints what goes to people on the standard output, or one JSON document there.

    Progress goes to the standard error, and only to a terminal. Colours too only go to terminals,
    and not where `NO_COLOR` is set.

    Args:
        as_json: Print the document.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(highlight=False, emoji=False, markup=False, soft_wrap=False)

    def introduce(self, tree: Tree, jobs: int, *, redis: bool, page: Page | None) -> None:
        """Say what is about to happen, and where it can be seen."""
        if not self._as_json:
            for line in introduction(tree, jobs, redis=redis):
                self._console.print(line)
        if page is not None:
            say(f"The dashboard is at {page.url} while it runs.")

    @contextlib.contextmanager
    def progress(self) -> Iterator[Watcher]:
        """A progress bar while the block runs."""
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
            yield _Bars(bars)

    def conclude(self, demo: Demo, difference: tuple[str, str] | None) -> None:
        """Say what came of it."""
        if self._as_json:
            print_json(document(demo, difference))
            return
        utf8 = self._console.encoding.lower().startswith("utf")
        self._console.print(runs_table(demo, microseconds="µs" if utf8 else "us"))
        self._console.print()
        for paragraph in conclusion(demo):
            self._console.print(paragraph)
        self._console.print()
        if difference is None:
            answers = f"{demo.runs[0].lookups:,} answers"
            self._console.print(
                f"Identical in all {len(demo.runs)} runs: {answers}.", style="green"
            )
        else:
            name, run = difference
            self._console.print(
                f"NOT IDENTICAL: {printable(name)} has other answers in the run {run!r} than in "
                f"{demo.runs[0].name!r}.",
                style="bold red",
            )

    def lead_on(self, keep: Keep | None, page: Page | None) -> None:
        """Say where there is more to see."""
        if page is not None:
            say(f"\nThe dashboard stays at {page.url} until Ctrl-C.")
        elif keep is not None:
            self._tell(f"See it in a browser:\n  {keep.command}")
        else:
            self._tell("See it in a browser while it runs:\n  tiered-cache demo --dashboard")

    def _tell(self, text: str) -> None:
        if not self._as_json:
            self._console.print()
            # As it is, however long: it is there to be copied.
            self._console.print(text, soft_wrap=True)


class _Bars:
    """Shows each run as a bar. Implements `runs.Watcher`."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def begin(self, title: str, files: int) -> None:
        self._task = self._progress.add_task(title, total=files)

    def advance(self, files: int) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=files)
