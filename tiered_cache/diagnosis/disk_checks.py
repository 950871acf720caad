"""Checks of the place of a disk tier, before the tier is opened.

Opening a tier makes its directory, and quarantines a database that it can't read. A diagnosis must
not do the second.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from tiered_cache.diagnosis.check_result import advise, ok, problem
from tiered_cache.diagnosis.database_checks import check_identity, check_lock
from tiered_cache.diagnosis.file_systems import check_file_system
from tiered_cache.diagnosis.nearest_path import nearest_path
from tiered_cache.tiers.disk._database import DBNAME
from tiered_cache.units import bytes_text, parse_duration, parse_size

if TYPE_CHECKING:
    from pathlib import Path

    from tiered_cache.config.schema import DiskSettings
    from tiered_cache.diagnosis.check_result import CheckResult
    from tiered_cache.diagnosis.check_runner import CheckRunner

__all__ = ["check_disk"]

_LEAST_FREE_BYTES = 64 * 2**20


def check_disk(
    name: str, root: Path, namespace: str, options: DiskSettings, runner: CheckRunner
) -> bool:
    """Check the place of a disk tier, and return whether the tier may be opened there.

    Args:
        name: The name of the tier.
        root: The directory of the settings.
        namespace: The namespace of the stack, which names a directory below `root`.
        options: The settings of the tier.
        runner: Runs the checks.
    """
    directory = root / namespace
    database = directory / DBNAME
    if not runner.run(name, "directory", lambda: _check_directory(root, directory, database)):
        return False
    existing = nearest_path(directory)
    max_bytes, timeout_s = parse_size(options.max_bytes), parse_duration(options.timeout)
    runner.run(name, "file system", lambda: check_file_system(existing))
    runner.run(name, "space", lambda: _check_space(existing, directory, max_bytes))
    if not database.exists():
        return True
    return runner.run(name, "database", lambda: check_identity(database, timeout_s)) and runner.run(
        name, "lock", lambda: check_lock(database, timeout_s)
    )


def _check_directory(root: Path, directory: Path, database: Path) -> CheckResult:
    existing = nearest_path(directory)
    if not existing.is_dir():
        return problem(
            f"{existing} is a file, where a directory is needed",
            "set disk.path to a directory, or remove the file",
        )
    for each in (existing, database) if database.exists() else (existing,):
        if not os.access(each, os.R_OK | os.W_OK | (os.X_OK if each.is_dir() else 0)):
            return problem(
                f"{each} can't be written by this user: {_owner(each)}",
                "run as its owner, change owner (chown) or mode (chmod), or set disk.path to "
                "another directory",
            )
    quarantined = sorted(root.glob(f"{directory.name}.quarantined-*"))
    if quarantined:
        return _quarantined(quarantined)
    return ok(f"{directory}" if directory.exists() else f"{directory}, made when it is needed")


def _owner(path: Path) -> str:
    status = path.stat()
    return f"it belongs to user {status.st_uid} with mode {status.st_mode & 0o7777:o}"


def _quarantined(directories: list[Path]) -> CheckResult:
    finding = "the tier has put aside a database that it could not read"
    if len(directories) > 1:
        finding = f"the tier has put aside {len(directories)} databases that it could not read"
    names = ", ".join(str(each) for each in directories)
    return advise(finding, f"look into it, then delete it: {names}")


def _check_space(existing: Path, directory: Path, max_bytes: int) -> CheckResult:
    free = shutil.disk_usage(existing).free
    used = sum(each.stat().st_size for each in directory.glob(f"{DBNAME}*"))
    if free < _LEAST_FREE_BYTES:
        return problem(
            f"the disk has {bytes_text(free)} free",
            "free disk space, or set disk.path to a directory on another disk",
        )
    finding = f"the disk has {bytes_text(free)} free; the tier may use {bytes_text(max_bytes)}"
    if free < max_bytes - used:
        return advise(
            finding,
            "lower disk.max_bytes, or free disk space: on a full disk all programs fail to write",
        )
    return ok(finding)
