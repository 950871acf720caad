"""A directory that outlives the demo: the first machine's disk, and settings that name it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tiered_cache.demo.machine import NAMESPACE
from tiered_cache.errors import ConfigurationError

__all__ = ["KeptDisk"]

_SETTINGS = "tiered-cache.toml"
_DISK = "machine-1"
_FIRST_LINE = "# Written by `tiered-cache demo --keep`, which replaces this directory's contents.\n"


class KeptDisk:
    """The directory of `--keep`. The disk of an earlier demo is removed, so that the run is cold.

    Args:
        directory: Made if it does not exist.

    Raises:
        ConfigurationError: `directory` holds files that no demo wrote.
    """

    def __init__(self, directory: Path) -> None:
        self.disk: Path = directory / _DISK
        self.settings: Path = directory / _SETTINGS
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
            msg = f"--keep {self.disk.parent}: it holds files that no demo wrote; name an empty directory"
            raise ConfigurationError(msg)
        shutil.rmtree(self.disk, ignore_errors=True)

    @property
    def dashboard_command(self) -> str:
        """The command line that shows the directory in the dashboard."""
        return f"{_program()} dashboard --config {self.settings}"


def _program() -> str:
    """The name by which this program was started, where it can be used again."""
    started_as = Path(sys.argv[0])
    return str(started_as) if started_as.name == "tiered-cache" else "tiered-cache"
