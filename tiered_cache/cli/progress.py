"""How far a command is: on standard error, where that is a terminal, and nowhere else."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any, Self

from tiered_cache.cli.output import printable

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Removing", "StatusLine"]

_WIDTH = 80


class StatusLine:
    """A line that the next one takes the place of."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self.width = min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns)

    def show(self, text: str) -> None:
        """Show `text`; `""` leaves nothing behind."""
        if self._is_shown:
            blank = " " * (self.width - 1)
            shown = printable(text)[: self.width - 1]
            print(f"\r{blank}\r{shown}", end="", file=sys.stderr, flush=True)


class Removing:
    """Shows how many keys were removed, while it is entered: by `rich`, where it is installed."""

    def __init__(self) -> None:
        self._line = StatusLine()
        self._bar: Any = _make_bar() if sys.stderr.isatty() else None
        self._task: Any = None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("removing", total=None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line.show("")
        if self._bar is not None:
            self._bar.stop()

    def from_tier(self, name: str, count: int) -> None:
        """So many keys were removed from a tier."""
        self._show(f"removing from {printable(name)}", count, None)

    def of_all(self, count: int, total: int) -> None:
        """So many keys were removed, of so many."""
        self._show("removing", count, total)

    def _show(self, what: str, count: int, total: int | None) -> None:
        if self._bar is not None:
            self._bar.update(self._task, description=what, completed=count, total=total)
        else:
            share = "" if total is None else f" of {total:,}"
            self._line.show(f"{what}: {count:,}{share} keys")


def _make_bar() -> Any:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError:
        return None
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,.0f} keys"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
