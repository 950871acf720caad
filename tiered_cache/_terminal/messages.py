"""Text for people: escaped so that it can't move a cursor, and printed beside the result."""

from __future__ import annotations

import os
import sys

__all__ = ["colours_wanted", "printable", "printable_lines", "say"]


def printable(text: object) -> str:
    """`text` on one line, with control characters and other invisible ones escaped.

    Keys and paths are foreign text. Escaped, they can neither move the cursor nor hide.
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


def colours_wanted() -> bool:
    """Whether standard output is a terminal and `NO_COLOR` is not set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
