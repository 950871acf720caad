"""A directory that the demo leaves behind, for another command to look at."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tiered_cache.demo.worker import NAMESPACE
from tiered_cache.errors import ConfigurationError

__all__ = ["Keep"]

_SETTINGS = "tiered-cache.toml"
_DISK = "machine-1"
_FIRST_LINE = "# Written by `tiered-cache demo --keep`, which replaces this directory's contents.\n"


class Keep:
    """A directory with the first machine's disk, and settings that name it.

    What an earlier demo left there is removed, since a run over it would not be cold. Anything else
    is left alone.

    Args:
        directory: Made, if it is not there.

    Raises:
        ConfigurationError: It holds something that no demo left there.
    """

    def __init__(self, directory: Path) -> None:
        self.disk = directory / _DISK
        self.settings = directory / _SETTINGS
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            self._remove_earlier()
        self.settings.write_text(
            f"{_FIRST_LINE}namespace = {json.dumps(NAMESPACE)}\n"
            'tiers = ["memory", "disk"]\n\n'
            f"[disk]\npath = {json.dumps(str(self.disk.resolve()))}\n"
        )

    def _remove_earlier(self) -> None:
        ours = self.settings.is_file() and self.settings.read_text().startswith(_FIRST_LINE)
        if not ours:
            msg = f"--keep {self.disk.parent}: there is something in it that no demo left there"
            raise ConfigurationError(msg)
        shutil.rmtree(self.disk, ignore_errors=True)

    @property
    def command(self) -> str:
        """What shows it."""
        return f"{_program()} dashboard --config {self.settings}"


def _program() -> str:
    """How the user called this program, where that can be said again."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "tiered-cache" else "tiered-cache"
