"""Builds the wheel, looks inside, and runs the tests against it in an environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BESIDE_THE_TESTS = (
    "tests",
    "docs",
    "policies/README.md",
    "README.md",
    "SPEC.md",
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "pyproject.toml",
)
"""What tests read. The packages themselves are left out: they must come from the wheel."""

PAGE = "tiered_cache/dashboard/static/"
"""The files of the dashboard's page: all of them, and nothing beside them, are package data."""


def main() -> int:
    """Build, inspect and test; 1 if something is not as it should be."""
    with tempfile.TemporaryDirectory(prefix="tiered-cache-wheel-") as folder:
        place = Path(folder)
        wheel = build(place)
        wrong = inspect(wheel)
        for each in wrong:
            print(f"wheel: {each}")
        if wrong:
            return 1
        print(f"{wheel.name}: the contents are right")
        return test(wheel, place)


def build(place: Path) -> Path:
    """The wheel, built by way of the source distribution, as it is published."""
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", place / "dist", ROOT],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (wheel,) = (place / "dist").glob("*.whl")
    return wheel


def inspect(wheel: Path) -> list[str]:
    """What is wrong with the contents of the wheel."""
    wrong = []
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(n for n in names if n.endswith("METADATA"))).decode()
    top = {name.split("/")[0] for name in names}
    packages = {name for name in top if not name.endswith(".dist-info")}
    if packages != {"tiered_cache", "tiered_cache_policies"}:
        wrong.append(f"its top levels are {sorted(packages)}")
    in_tree = {
        str(path.relative_to(root))
        for root in (ROOT, ROOT / "policies")
        for package in ("tiered_cache", "tiered_cache_policies")
        for path in (root / package).rglob("*")
        if path.suffix == ".py" or (path.is_file() and "static" in path.parts)
    }
    missing = in_tree - set(names)
    if missing:
        wrong.append(f"it lacks {sorted(missing)}")
    wrong += [f"{each} has no py.typed" for each in packages if f"{each}/py.typed" not in names]
    wrong += [
        f"it has {name}"
        for name in names
        if not name.endswith((".py", "py.typed"))
        and not name.startswith(PAGE)
        and "dist-info" not in name
    ]
    wrong += [f"it has {name}" for name in names if name.startswith(PAGE) and name not in in_tree]
    if f"{PAGE}vendor/uPlot.LICENSE" not in names:
        wrong.append("it has uPlot without its licence")
    promised = ("License-Expression: MIT", "Requires-Python: >=3.11", "Provides-Extra: dashboard")
    wrong += [f"its metadata lacks {line!r}" for line in promised if line not in metadata]
    return wrong


def test(wheel: Path, place: Path) -> int:
    """Run the tests on the wheel's own packages; pytest's exit code."""
    environment = place / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    pip: list[str | Path] = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True)
    subprocess.run([*pip, f"{wheel}[all]", "--group", f"{ROOT}/pyproject.toml:test"], check=True)
    work = place / "work"
    for name in BESIDE_THE_TESTS:
        target = work / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__", "_build")
            )
        else:
            shutil.copy(ROOT / name, target)
    where = "import tiered_cache, sys; sys.exit('site-packages' not in tiered_cache.__file__)"
    subprocess.run([python, "-c", where], check=True, cwd=work)
    return subprocess.run([python, "-m", "pytest", "-q", "-x"], cwd=work, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
