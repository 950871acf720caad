"""The fast tests on the built wheel: on each Python, and with the lowest allowed versions.

`make matrix` builds the wheel and runs every session whose Python is found.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False

PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.14t"]
LOWEST = PYTHONS[0]
GROUP = nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), "test")
FAST = (
    "pytest",
    "-m",
    "not slow",
    "-n",
    "2",
    "--dist",
    "loadgroup",
    "-p",
    "no:cacheprovider",
    "-q",
)

# A shim of pyenv runs the chosen version only; the other interpreters are in folders of their own.
_PYENV = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
for _folder in sorted(_PYENV.glob("versions/3.*/bin")):
    os.environ["PATH"] = f"{_folder}{os.pathsep}{os.environ['PATH']}"


def wheel() -> str:
    """The path of the built wheel."""
    (path,) = Path("build/dist").glob("*.whl")
    return str(path.resolve())


def run_fast(session: nox.Session) -> None:
    """Run the fast tests; arguments after `--` take the place of the usual ones."""
    session.run(*(session.posargs or FAST), env={"TESTED_PACKAGE": "wheel"})


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The newest versions of all dependencies."""
    session.install(f"{wheel()}[all]", *GROUP)
    run_fast(session)


@nox.session(python=LOWEST)
def lowest(session: nox.Session) -> None:
    """The lowest version of each direct dependency that pyproject.toml allows."""
    session.install("--resolution", "lowest-direct", "-r", "pyproject.toml", "--extra", "all")
    pins = Path(session.create_tmp()) / "lowest.txt"
    listed = str(session.run("uv", "pip", "freeze", silent=True)).splitlines()
    pins.write_text("\n".join(line for line in listed if "==" in line))
    session.install("--no-deps", wheel())
    session.install("--constraint", str(pins), *GROUP)
    session.log(pins.read_text())
    run_fast(session)
