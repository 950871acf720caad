"""Lists of names, as files and variables write them."""

from __future__ import annotations

import json
import re

__all__ = ["exporter_names", "exporter_tables", "name_list"]

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


def name_list(value: object) -> object:
    """The list that text stands for, separated by commas or as JSON; another value as it is.

    Raises:
        ValueError: The text begins with `[` and is no JSON.
    """
    if not isinstance(value, str):
        return list(value) if isinstance(value, tuple) else value
    if not value.startswith("["):
        return [each.strip() for each in value.split(",")]
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        msg = "it must be a JSON list, or names separated by commas"
        raise ValueError(msg) from None


def exporter_tables(value: object) -> object:
    """The table of options by exporter, for a list of names too: those have none."""
    names = exporter_names(value)
    return value if names is None else {name: {} for name in names}


def exporter_names(value: object) -> list[str] | None:
    """The names in a list of exporters, or in text; `None` for a table and for any other value.

    Other text is not split: it may be a table with secrets that is no JSON.
    """
    if value == "":
        return []
    try:
        names = name_list(value)
    except ValueError:
        return None
    if not isinstance(names, list):
        return None
    are_names = all(isinstance(name, str) and _NAME.fullmatch(name) for name in names)
    return names if are_names else None
