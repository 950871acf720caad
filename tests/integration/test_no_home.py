"""Processes without a home directory: no `HOME`, and a user that the password database lacks."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN_USER = 12345
AS_UNKNOWN_USER = [
    "setpriv",
    f"--reuid={UNKNOWN_USER}",
    f"--regid={UNKNOWN_USER}",
    "--clear-groups",
    # The interpreter may be in root's home.
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
]
NOT_IN_THE_PASSWORD_DATABASE = """
import pwd
def unknown(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = unknown
"""
USE = """
import json, sys
from tiered_cache import tiered

class Pickled:
    pass

plain = tiered.get_or_compute("plain", lambda: {"computed": True})
pickled = tiered.get_or_compute("pickled", Pickled)
same = tiered.get_or_compute("pickled", Pickled) is pickled
writes = [(each.tier, each.outcome.value) for each in tiered.set("again", Pickled()).tiers]
tiered.close()
print(json.dumps({"plain": plain, "same": same, "writes": writes}))
"""
READ = """
import json
from tiered_cache import tiered
keys = sorted(tiered.keys())
print(json.dumps({"keys": keys, "plain": tiered.get("plain")}))
"""
MISSING = "no home directory was found, so the stack has no disk tier: set disk.path"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A directory in which every user may write, below directories that every user may enter."""
    tmp_path.chmod(0o777)
    for above in tmp_path.parents[:2]:
        above.chmod(above.stat().st_mode | 0o711)
    return tmp_path


def run(program: str, shared: Path, **variables: str) -> tuple[Any, list[str]]:
    """The document that `program` prints without a home, and the lines that it logs."""
    return _run([sys.executable, "-c", NOT_IN_THE_PASSWORD_DATABASE + program], shared, variables)


def run_as_unknown_user(program: str, shared: Path, **variables: str) -> tuple[Any, list[str]]:
    return _run([*AS_UNKNOWN_USER, sys.executable, "-c", program], shared, variables)


def _run(command: list[str], shared: Path, variables: dict[str, str]) -> tuple[Any, list[str]]:
    work = shared / "work"
    work.mkdir(exist_ok=True)
    work.chmod(0o777)
    done = subprocess.run(
        ["env", "-i", *(f"{name}={value}" for name, value in variables.items()), *command],
        capture_output=True,
        text=True,
        cwd=work,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert list(work.iterdir()) == [], "nothing is made in the working directory"
    return json.loads(done.stdout), done.stderr.splitlines()


RUNS = pytest.mark.parametrize(
    "start",
    [
        pytest.param(run, id="patched"),
        pytest.param(run_as_unknown_user, id="setpriv", marks=pytest.mark.needs_root),
    ],
)


@RUNS
def test_the_default_stack_is_memory_alone_and_one_line_says_so(start: Any, shared: Path) -> None:
    found, logged = start(USE, shared)
    assert found == {
        "plain": {"computed": True},
        "same": True,
        "writes": [["memory", "written"]],
    }
    (line,) = logged
    assert line.startswith(MISSING)
    assert "signing_key" in line


@RUNS
def test_a_given_directory_stores_values_that_need_no_host_key(start: Any, shared: Path) -> None:
    variables = {"TIERED_CACHE_DISK__PATH": str(shared / "disk")}
    found, logged = start(USE, shared, **variables)
    assert (found["plain"], found["same"]) == ({"computed": True}, True)
    assert found["writes"] == [["memory", "written"], ["disk", "refused"]]
    (line,) = logged
    assert "No home directory was found for the host key" in line
    assert "signing_key" in line
    found, logged = start(READ, shared, **variables)
    assert (found, logged) == ({"keys": ["plain"], "plain": {"computed": True}}, [])


@RUNS
def test_with_a_signing_key_a_given_directory_stores_all_values(start: Any, shared: Path) -> None:
    variables = {
        "TIERED_CACHE_DISK__PATH": str(shared / "disk"),
        "TIERED_CACHE_SIGNING_KEY": "a key that is long enough",
    }
    found, logged = start(USE, shared, **variables)
    assert found["writes"] == [["memory", "written"], ["disk", "written"]]
    assert logged == []


def test_the_settings_show_the_stack_that_is_built(shared: Path) -> None:
    program = """
import json
from tiered_cache.config import load_settings
print(json.dumps({each.field: each.value for each in load_settings().resolved()}))
"""
    found, logged = run(program, shared)
    assert (found["tiers"], logged) == ("['memory']", [])


def test_each_cache_of_a_manager_is_made_and_the_line_is_logged_once(shared: Path) -> None:
    program = """
import json
from tiered_cache import CacheManager
manager = CacheManager()
names = [manager.get_cache(name).name for name in ("a", "b")]
manager.close()
print(json.dumps(names))
"""
    found, logged = run(program, shared)
    assert (found, len(logged)) == (["a", "b"], 1)


def test_a_requested_disk_tier_names_the_missing_setting(shared: Path) -> None:
    program = """
import json
from tiered_cache import ConfigurationError, tiered
try:
    tiered.get("key")
except ConfigurationError as error:
    print(json.dumps(str(error)))
"""
    found, _ = run(program, shared, TIERED_CACHE_TIERS="memory,disk")
    assert "set disk.path" in found


def test_a_write_that_needs_a_journal_names_the_missing_setting(
    shared: Path, redis_url: str, namespace: str
) -> None:
    program = """
import json
from tiered_cache import tiered
result = tiered.set("key", 1)
tiered.close()
print(json.dumps({each.tier: each.outcome.value for each in result.tiers}))
"""
    found, logged = run(
        program,
        shared,
        TIERED_CACHE_WRITING="write_back",
        TIERED_CACHE_POLICIES__WRITE_BACK__DURABILITY="disk",
        TIERED_CACHE_REDIS_URL=redis_url,
        TIERED_CACHE_REDIS__TIMEOUT="20s",
        TIERED_CACHE_REDIS__CONNECT_TIMEOUT="20s",
        TIERED_CACHE_NAMESPACE=namespace,
    )
    assert found == {"memory": "written", "redis": "written"}, "at once: it can't be queued"
    (line,) = [line for line in logged if "journal" in line]
    assert "add a disk tier with a path (setting disk.path)" in line
