"""What commands print: text for people, or one JSON document for programs."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["print_json", "print_table", "printable", "say"]


def printable(text: object) -> str:
    """`text` on one line, with control characters and other invisible ones escaped.

    Keys are foreign text: they must not be able to move a terminal's cursor or hide themselves.
    """
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in str(text)
    )


def say(text: str) -> None:
    """Print a line to standard error."""
    print(text, file=sys.stderr)


def print_json(value: Any) -> None:
    """Print one JSON document. What JSON has no form for is printed as its `repr`."""
    print(json.dumps(value, indent=2, default=repr, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: by `rich` on a terminal where it is installed, as plain columns elsewhere."""
    cells = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR") and _print_rich(columns, cells):
        return
    lines = [list(columns), *cells]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )


def _print_rich(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bool:
    try:
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table
    except ImportError:
        return False
    table = Table(*columns)
    for row in rows:
        table.add_row(*[escape(cell) for cell in row])
    Console().print(table)
    return True
