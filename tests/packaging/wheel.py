"""Checks the contents of the built wheel: `python tests/packaging/wheel.py build/dist`."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = {"tiered_cache": ROOT, "tiered_cache_policies": ROOT / "policies"}
PAGE = "tiered_cache/dashboard/static/"
"""The files of the dashboard's page: the only package data besides `py.typed`."""
LICENCE_OF_UPLOT = f"{PAGE}vendor/uPlot.LICENSE"
METADATA = ("License-Expression: MIT", "Requires-Python: >=3.11", "Provides-Extra: dashboard")


def main(folder: Path) -> int:
    """Print the faults of the wheel in `folder`; 1 if it has any."""
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(n for n in names if n.endswith("METADATA"))).decode()
    faults = [*faults_of_files(names), *faults_of_metadata(metadata)]
    for fault in faults:
        print(f"{wheel.name}: {fault}")
    return 1 if faults else 0


def faults_of_files(names: set[str]) -> list[str]:
    """Packages and files that are missing from the wheel, or should not be in it."""
    faults = []
    top = {name.split("/")[0] for name in names}
    packages = {name for name in top if not name.endswith(".dist-info")}
    if packages != set(PACKAGES):
        faults.append(f"top-level packages {sorted(packages)}")
    wanted = {
        path.relative_to(root).as_posix()
        for package, root in PACKAGES.items()
        for path in (root / package).rglob("*")
        if path.suffix == ".py" or (path.is_file() and "static" in path.parts)
    }
    wanted |= {f"{package}/py.typed" for package in PACKAGES} | {LICENCE_OF_UPLOT}
    faults += [f"no {name}" for name in sorted(wanted - names)]
    extra = (name for name in names - wanted if ".dist-info/" not in name)
    faults += [f"unexpected {name}" for name in sorted(extra)]
    return faults


def faults_of_metadata(metadata: str) -> list[str]:
    """Lines that the metadata lack."""
    return [f"metadata without {line!r}" for line in METADATA if line not in metadata]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
