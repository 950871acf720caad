"""Tiers that installed packages register, built from their options."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tiered_cache import ConfigurationError
from tiered_cache.config import build_stack, load_settings

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
from tiered_cache.errors import ConfigurationError
from tiered_cache.tiers.null import NullTier

class Floppy(NullTier):
    def __init__(self, drive="B:", *, name="unnamed", password=None):
        super().__init__(name=name)
        if drive == "refused":
            raise ConfigurationError("no such drive: use A: or B:")
        if drive == "broken":
            raise OSError(f"the drive of {password} is broken")
        self.drive = drive

class Fixed(NullTier):
    def __init__(self):
        super().__init__(name="fixed")
"""
POINTS = """[tiered_cache.tiers]
floppy = acme_tiers:Floppy
fixed = acme_tiers:Fixed
absent = acme_tiers:Absent

[tiered_cache.policies]
writing.absent = acme_tiers:AbsentPolicy
"""


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with entry points, as an installer leaves it behind."""
    (tmp_path / "acme_tiers.py").write_text(MODULE)
    info = tmp_path / "acme_tiers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-tiers\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
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
        ("floppy", {"drives": 1}, r"options in \[custom.floppy\] \(drives, name\): TypeError"),
        ("floppy", {"drive": "refused"}, "no such drive: use A: or B:"),
        ("floppy", {"drive": "broken", "password": "hunter2"}, "OSError in acme_tiers:Floppy"),
        ("absent", {}, "can't be loaded from acme_tiers:Absent: AttributeError"),
    ],
)
def test_a_tier_that_cannot_be_made_says_why(
    name: str, options: dict[str, object], told: str
) -> None:
    settings = load_settings(tiers=["memory", name], custom={name: options})
    with pytest.raises(ConfigurationError, match=told) as caught:
        build_stack("default", settings)
    assert "hunter2" not in str(caught.value)


def test_options_of_a_policy_that_cannot_be_loaded_are_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="can't be loaded from acme_tiers:AbsentPolicy"):
        load_settings(policies={"absent": {}})
