"""Measures branch coverage, subprocesses included: `make coverage`.

Prints the files with the most uncovered lines. Exits 1 if a test fails, or if the figure is lower
than the one stored in tests/coverage.toml by more than the tolerance stored there.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
STORED = Path(__file__).with_name("coverage.toml")
DATA = ROOT / "build" / "coverage"
WORST = 15


def main(jobs: str) -> int:
    """Run the tests with `jobs` workers; 0 if they pass and cover enough."""
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir(parents=True)
    options = ["-n", jobs, "--dist", "loadgroup", "-p", "no:cacheprovider", "-q"]
    passed = coverage("run", "-m", "pytest", *options) == 0
    # A process that a test killed leaves a file that cannot be read; combining warns of it.
    coverage("combine", "-q", PYTHONWARNINGS="ignore")
    coverage("json", "-q", "-o", str(DATA / "report.json"))
    report = json.loads((DATA / "report.json").read_text())
    print_worst(report["files"])
    return 0 if compare(report["totals"]["percent_covered"]) and passed else 1


def coverage(*arguments: str, **variables: str) -> int:
    """Run the tool of that name; its exit code."""
    command = [sys.executable, "-m", "coverage", *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def print_worst(files: dict[str, Any]) -> None:
    """Print the files with the most uncovered lines and branches."""

    def uncovered(name: str) -> int:
        summary = files[name]["summary"]
        return int(summary["missing_lines"] + summary["missing_branches"])

    print(f"{'uncovered':>9}  {'percent':>7}  file")
    for name in sorted(files, key=uncovered, reverse=True)[:WORST]:
        percent = files[name]["summary"]["percent_covered"]
        print(f"{uncovered(name):>9}  {percent:>7.1f}  {name}")


def compare(percent: float) -> bool:
    """Whether `percent` is at least the stored figure, less the tolerance."""
    stored = tomllib.loads(STORED.read_text())
    least = stored["percent"] - stored["tolerance"]
    print(f"covered: {percent:.2f} %; stored: {stored['percent']} %; least: {least:.2f} %")
    return bool(percent >= least)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:] or ["2"]))
