"""The policies in the examples of policies/README.md, installed as a package.

The package is made of the examples themselves, so that the README cannot teach code that fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tiered_cache
import tiered_cache_policies

if TYPE_CHECKING:
    import types

ROOT = Path(__file__).parents[2]
README = (ROOT / "policies" / "README.md").read_text()
USE = """
from tiered_cache import TieredCache
with TieredCache.from_settings() as cache:
    options = cache._source.core().stack.options
    policy = cache._source.core().stack.levels[0].tier._policy
    print(type(policy).__module__, type(policy).__name__, type(options.promotion).__name__,
          options.promotion.seconds)
    cache.set("key", 1)
    assert cache.get("key") == 1
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def write_wheel(folder: Path) -> Path:
    """A wheel with the classes and entry points of the README."""
    module = "\n".join(
        each for each in blocks("python") if "testing" not in each and "registry" not in each
    )
    (entry_points,) = (each for each in blocks("toml") if "entry-points" in each)
    points = re.sub(r'"([^"]+)" = "([^"]+)"', r"\1 = \2", entry_points.partition("\n")[2])
    wheel = folder / "acme-1.0-py3-none-any.whl"
    files = {
        "acme/__init__.py": "",
        "acme/policies.py": module,
        "acme-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n",
        "acme-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "acme-1.0.dist-info/entry_points.txt": f"[tiered_cache.policies]\n{points}",
    }
    record = "".join(f"{name},,\n" for name in [*files, "acme-1.0.dist-info/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in {**files, "acme-1.0.dist-info/RECORD": record}.items():
            archive.writestr(name, content)
    return wheel


def place_of(package: types.ModuleType) -> str:
    """The directory that an import of the package needs."""
    assert package.__file__
    return str(Path(package.__file__).parents[1])


@pytest.mark.slow
def test_the_policies_of_the_readme_are_found_by_name_once_installed(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True, timeout=60)
    python = venv / "bin" / "python"
    (site,) = venv.glob("lib/python*/site-packages")
    here = [sysconfig.get_path("purelib"), *map(place_of, (tiered_cache, tiered_cache_policies))]
    (site / "here.pth").write_text("\n".join(here))
    install = ["install", "--quiet", "--no-index", "--no-deps", str(write_wheel(tmp_path))]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), *install], check=True, timeout=100
    )
    (settings,) = (each for each in blocks("toml") if "entry-points" not in each)
    (tmp_path / "tiered-cache.toml").write_text(settings)
    done = subprocess.run(
        [python, "-c", USE], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["acme.policies", "LargestFirst", "PromoteCostly", "0.5"]
