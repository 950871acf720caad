"""Tables: drawn by `rich` on a terminal that has it, plain columns elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache._terminal.messages import colours_wanted, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["plain_table", "print_table", "rich_table", "table_text"]

_WIDTH = 80


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table of text; long cells wrap."""
    print(table_text(columns, rows))


def table_text(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, numeric: bool = False
) -> str:
    """A table, with the control characters of its cells escaped.

    Args:
        columns: The headings.
        rows: The cells of each row.
        numeric: Align every column but the first to the right, in 80 columns at most.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    drawn = rich_table(columns, cells, numeric=numeric) if colours_wanted() else None
    return plain_table(columns, cells, numeric=numeric) if drawn is None else drawn


def plain_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, numeric: bool = False
) -> str:
    """A table of plain text; the arguments are those of `table_text`, with escaped cells."""
    lines = [columns, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if numeric and place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def rich_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: bool = False
) -> str | None:
    """A table with colours, as `plain_table`; `None` if `rich` is not installed."""
    try:
        from rich import box
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except ImportError:
        return None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if numeric and place else "left", no_wrap=numeric)
    for row in rows:
        table.add_row(*[escape(cell) for cell in row])
    console = Console(width=min(_WIDTH, Console().width) if numeric else None)
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip("\n")
