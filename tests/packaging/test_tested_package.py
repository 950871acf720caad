"""The tests import the package that the run is about: the installed wheel, or the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import tiered_cache
import tiered_cache_policies

ROOT = Path(__file__).parents[2]
WHERE = "import tiered_cache, tiered_cache_policies as p; print(tiered_cache.__file__, p.__file__)"


def test_the_tested_package_is_the_requested_one() -> None:
    if os.environ.get("TESTED_PACKAGE") == "wheel":
        policies = packages = Path(sysconfig.get_path("purelib"))
    else:
        packages, policies = ROOT, ROOT / "policies"
    found = [tiered_cache.__file__, tiered_cache_policies.__file__]
    assert found == [
        str(packages / "tiered_cache" / "__init__.py"),
        str(policies / "tiered_cache_policies" / "__init__.py"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", WHERE], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == found, "a child process imports another package"
