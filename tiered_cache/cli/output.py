"""What commands print: text for people, or one JSON document for programs."""

from __future__ import annotations

import json
import math
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "finite",
    "print_json",
    "print_table",
    "printable",
    "printable_lines",
    "say",
    "to_json",
]


def printable(text: object) -> str:
    """`text` on one line, with control characters and other invisible ones escaped.

    Keys are foreign text: they must not be able to move a terminal's cursor or hide themselves.
    """
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in str(text)
    )


def printable_lines(text: str) -> str:
    """`text` with every line made `printable`."""
    return "\n".join(printable(line) for line in text.split("\n"))


def say(text: str) -> None:
    """Print a line to standard error."""
    print(text, file=sys.stderr)


def finite(seconds: float | None) -> float | None:
    """`seconds`, or `None` where there is no limit: JSON has no infinity."""
    return None if seconds == math.inf else seconds


def print_json(value: Any) -> None:
    """Print one JSON document. What JSON has no form for is printed as its `repr`."""
    print(to_json(_plain(value), indent=2))


def to_json(value: Any, *, indent: int | None = None) -> str:
    r"""`value` as JSON that every terminal and locale can show: other characters are `\uXXXX`.

    Raises:
        TypeError: JSON has no form for it.
        ValueError: JSON has no form for it: it is not finite, or contains itself.
    """
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    text = json.dumps(value, indent=indent, ensure_ascii=not unicode, allow_nan=False)
    lines = text.split("\n")
    return "\n".join(line if line.isprintable() else _escaped(line) for line in lines)


def _escaped(text: str) -> str:
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def _plain(value: Any) -> Any:
    """`value` as JSON can have it."""
    if isinstance(value, dict):
        named = {key if isinstance(key, str) else repr(key): _plain(value[key]) for key in value}
        return named if len(named) == len(value) else repr(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    return value if value is None or isinstance(value, str | int) else repr(value)


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
