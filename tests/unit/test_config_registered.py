"""Tiers that installed packages register, built from their options."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.installed_package import install
from tiered_cache import ConfigurationError
from tiered_cache.cli import main
from tiered_cache.config import build_stack, json_schema, load_settings
from tiered_cache.diagnosis import diagnose

MODULE = """
from tiered_cache.contracts import parse_duration
from tiered_cache.errors import ConfigurationError
from tiered_cache.tiers.null import NullTier

class Floppy(NullTier):
    def __init__(self, drive="B:", *, name="unnamed", password=None):
        super().__init__(name=name)
        if drive == "refused":
            raise ConfigurationError("no such drive: use A: or B:")
        if drive == "slow":
            parse_duration("soon", name="timeout")
        if drive == "broken":
            raise OSError(f"the drive of {password} is broken")
        self.drive = drive

class Fixed(NullTier):
    def __init__(self):
        super().__init__(name="fixed")
"""
POINTS = {
    "tiered_cache.tiers": {
        "floppy": "acme_tiers:Floppy",
        "fixed": "acme_tiers:Fixed",
        "absent": "acme_tiers:Absent",
    },
    "tiered_cache.policies": {"writing.absent": "acme_tiers:AbsentPolicy"},
}


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with entry points, as an installer leaves it behind."""
    (tmp_path / "acme_tiers.py").write_text(MODULE)
    install(tmp_path, "acme-tiers", POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_tiers", raising=False)


def test_a_registered_tier_gets_its_options_and_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERED_CACHE_CUSTOM__FLOPPY__DRIVE", "A:")
    settings = load_settings(tiers=["memory", "floppy"], stacks={"b": {"tiers": ["floppy"]}})
    with build_stack("default", settings) as cache:
        assert [tier.name for tier in cache.stats().tiers] == ["memory", "floppy"]
    assert settings.stack("b").custom == {"floppy": {"drive": "A:"}}
    from tiered_cache.config.registered_tiers import registered_tier

    tier = registered_tier("floppy", {"drive": "A:"})
    assert (tier.name, vars(tier)["drive"]) == ("floppy", "A:")
    assert registered_tier("floppy", {"name": "mine"}).name == "mine"


def test_a_tier_with_a_name_of_its_own_keeps_it() -> None:
    with build_stack("default", load_settings(tiers=["memory", "fixed"])) as cache:
        assert [tier.name for tier in cache.stats().tiers] == ["memory", "fixed"]


def test_nothing_of_a_package_is_imported_before_its_tier_is_built() -> None:
    settings = load_settings(tiers=["memory", "floppy"])
    assert "acme_tiers" not in sys.modules
    build_stack("default", settings).close()
    assert "acme_tiers" in sys.modules


def test_known_tiers_are_listed() -> None:
    with pytest.raises(ConfigurationError, match="memory, disk, redis, null, absent, fixed, flop"):
        load_settings(tiers=["memory", "flopy"])


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        (
            "floppy",
            {"drives": 1},
            "the tier floppy can't be made from drives .*it takes drive",
        ),
        ("floppy", {"drive": "refused"}, "no such drive: use A: or B:"),
        ("floppy", {"drive": "broken", "password": "hunter2"}, "OSError in acme_tiers:Floppy"),
        ("absent", {}, "can't be loaded from acme_tiers:Absent: AttributeError"),
    ],
)
def test_a_tier_that_cannot_be_made_says_why(
    name: str, options: dict[str, object], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        build_stack("default", load_settings(tiers=["memory", name], custom={name: options}))
    assert "hunter2" not in str(caught.value)


def test_options_of_a_policy_that_cannot_be_loaded_are_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="can't be loaded from acme_tiers:AbsentPolicy"):
        load_settings(policies={"absent": {}})


@pytest.mark.parametrize("name", ["flopy", "flies"])
def test_options_of_a_tier_that_no_package_registers_are_a_mistake(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"no tier called '{name}'") as caught:
        load_settings(custom={name: {"drive": "A:"}})
    assert f"custom.{name}" in str(caught.value)


def test_a_wrong_duration_of_a_tier_names_the_tier_and_its_table() -> None:
    settings = load_settings(tiers=["memory", "floppy"], custom={"floppy": {"drive": "slow"}})
    told = r"the tier floppy has a wrong option in \[custom.floppy\]: timeout='soon' is not a dur"
    with pytest.raises(ConfigurationError, match=told):
        build_stack("default", settings)


def test_two_packages_with_one_name_are_named(tmp_path: Path) -> None:
    points = {"tiered_cache.tiers": {"floppy": "other:Floppy"}}
    install(tmp_path, "bcme-tiers", points, version="2.1")
    told = "the tier 'floppy' is registered by acme-tiers 1.0 and bcme-tiers 2.1: uninstall"
    with pytest.raises(ConfigurationError, match=told):
        build_stack("default", load_settings(tiers=["memory", "floppy"]))
    with pytest.raises(ConfigurationError, match=told):
        load_settings(custom={"floppy": {}})


def test_the_same_package_found_twice_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "again", "acme-tiers", POINTS)
    monkeypatch.syspath_prepend(tmp_path / "again")
    build_stack("default", load_settings(tiers=["memory", "floppy"])).close()


_LIST = (
    "from tiered_cache._extensions import TIERS, POLICIES, extensions;"
    "from tiered_cache_policies.policy_registry import policy_names;"
    "print(len(extensions(TIERS)) + ('absent' in policy_names('writing')))"
)


@pytest.mark.parametrize(
    ("options", "path", "count"),
    [(["-c"], False, 0), (["-I", "-c"], False, 0), (["-c"], True, 4)],
)
def test_law_9_a_directory_that_python_was_only_started_in_registers_nothing(
    options: list[str], path: bool, count: int, tmp_path: Path
) -> None:
    places = [*(str(Path(each).resolve()) for each in sys.path if each and each != str(tmp_path))]
    given = [*places, str(tmp_path)] if path else places
    own_path = f"import sys; sys.path[:0] = {places!r}; " if "-I" in options else ""
    result = subprocess.run(
        [sys.executable, *options, own_path + _LIST],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(given)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(result.stdout) == count


def test_schema_and_doctor_list_the_extensions_of_other_packages(
    capsys: pytest.CaptureFixture[str],
) -> None:
    listed = {each["name"]: each for each in json_schema()["x-extensions"]}
    assert sorted(listed) == ["absent", "fixed", "floppy", "writing.absent"]
    assert (listed["floppy"]["package"], listed["floppy"]["version"]) == ("acme-tiers", "1.0")
    assert (listed["floppy"]["kind"], listed["floppy"]["contract"]) == ("tier", 1)
    assert "can't be loaded from acme_tiers:Absent" in listed["absent"]["problem"]
    assert main(["doctor"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "tier absent of acme-tiers 1.0: the tier 'absent' of acme-tiers 1.0 can't" in printed


def test_a_healthy_extension_is_named_by_the_doctor(tmp_path: Path) -> None:
    info = tmp_path / "acme_tiers-1.0.dist-info" / "entry_points.txt"
    info.write_text("[tiered_cache.tiers]\nfloppy = acme_tiers:Floppy\n")
    (found,) = diagnose(settings=load_settings(tiers=["memory"]))
    finding = {each.name: each.finding for each in found.checks}["extensions"]
    assert finding == "tier floppy of acme-tiers 1.0, contract 1"


def test_two_packages_with_one_policy_are_named(tmp_path: Path) -> None:
    points = {"tiered_cache.policies": {"writing.absent": "other:Policy"}}
    install(tmp_path, "bcme-tiers", points)
    with pytest.raises(
        ConfigurationError, match=r"by acme-tiers 1\.0 and bcme-tiers 1\.0: uninstall"
    ):
        load_settings(policies={"absent": {}})
