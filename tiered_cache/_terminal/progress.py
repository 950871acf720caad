"""Progress of a command, on standard error if that is a terminal, and nowhere else."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Self

from tiered_cache._terminal.messages import printable

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress, TaskID

__all__ = ["ProgressBar", "StatusLine"]

_WIDTH = 80


class StatusLine:
    """One line of text that is overwritten by the next."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self.width = min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)

    def show(self, text: str) -> None:
        """Show `text`; `""` clears the line."""
        if self._is_shown:
            blank = " " * (self.width - 1)
            shown = printable(text)[: self.width - 1]
            print(f"\r{blank}\r{shown}", end="", file=sys.stderr, flush=True)


class ProgressBar:
    """A count that grows while the block runs: a bar of `rich`, or a status line without it.

    Args:
        unit: Plural noun of the things that are counted, such as `"keys"`.
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._line = StatusLine()
        self._bars = _rich_progress(unit) if sys.stderr.isatty() else None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line.show("")
        if self._bars is not None:
            self._bars.stop()

    def show(self, description: str, completed: int, total: int | None = None) -> None:
        """Show the count so far, and the total where it is known."""
        if self._bars is None:
            share = "" if total is None else f" of {total:,}"
            self._line.show(f"{description}: {completed:,}{share} {self._unit}")
            return
        if self._task is None:
            self._task = self._bars.add_task(description, total=total)
        self._bars.update(self._task, description=description, completed=completed, total=total)


def _rich_progress(unit: str) -> Progress | None:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError:
        return None
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn(f"{{task.completed:,.0f}} {unit}", markup=False),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
