"""The marks for tests that need more of the machine: `needs_root` and others."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.proofs.plugin import NEED

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["browser_program", "has_browser", "pytest_runtest_setup"]

_CAP_SYS_ADMIN = 21
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@functools.cache
def browser_program() -> str | None:
    """The path of a Chromium: `CHROMIUM`, or the first one on `PATH`."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _PROGRAMS)), None)


def has_browser() -> bool:
    """Whether browser tests can run."""
    return browser_program() is not None and importlib.util.find_spec("playwright") is not None


def _is_root() -> bool:
    """Whether this process may mount; root in a container often may not."""
    if os.geteuid() != 0:
        return False
    status = Path("/proc/self/status")
    found = (
        re.search(r"^CapEff:\s*(\w+)", status.read_text(), re.MULTILINE)
        if status.is_file()
        else None
    )
    return found is None or bool(int(found[1], 16) >> _CAP_SYS_ADMIN & 1)


_MET: dict[str, Callable[[], bool]] = {
    "needs_root": _is_root,
    "needs_browser": has_browser,
    "needs_linux": lambda: sys.platform == "linux",
}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test with a missing need, and note the need for the list of proofs."""
    for need, is_met in _MET.items():
        if item.get_closest_marker(need) and not is_met():
            item.user_properties.append((NEED, need))
            pytest.skip(f"{need}, which this machine lacks")
