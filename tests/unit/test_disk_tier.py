"""The disk tier's path and its clock."""

from __future__ import annotations

import pwd
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tiered_cache import ConfigurationError, DiskTier, TieredCache
from tiered_cache.contracts import Absent, Found, Put
from tiered_cache.testing import FakeClock, make_context


def _no_user(_: object) -> Any:
    raise KeyError


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither `HOME` nor an entry in the password database."""
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(pwd, "getpwuid", _no_user)


def test_a_relative_path_is_made_absolute_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    tier = DiskTier("cache")
    assert tier.root == tmp_path / "cache"
    assert not tier.root.exists(), "constructing creates nothing"
    monkeypatch.chdir(tmp_path / "elsewhere")
    with TieredCache([tier]) as cache:
        cache.set("key", 1)
    assert (tmp_path / "cache" / "default" / "cache.db").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_home_directory_is_expanded(isolated_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert DiskTier("~/x").root == isolated_home / "x"
    assert DiskTier(Path("~")).root == isolated_home
    assert DiskTier().root == isolated_home / "cache" / "tiered-cache"
    monkeypatch.setenv("HOME", str(isolated_home / "new"))
    assert DiskTier("~/x").root == isolated_home / "new" / "x", "one's own may be created"


@pytest.mark.parametrize("path", ["~nobody/x", Path("~nobody/x"), "~nobody"])
@pytest.mark.parametrize("home", [None, "/no/such/home", "relative"])
def test_the_home_of_a_user_that_is_not_found_is_refused(
    path: str | Path, home: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = pwd.struct_passwd(("nobody", "x", 65534, 65534, "", home, "/bin/false"))
    monkeypatch.setattr(pwd, "getpwnam", _no_user if home is None else lambda _: entry)
    expected = f"^path='{path}' of the disk tier begins with a home directory .* write an absolute"
    with pytest.raises(ConfigurationError, match=expected):
        DiskTier(path)


@pytest.mark.usefixtures("no_home")
def test_without_a_home_directory_the_default_path_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"no home directory .* set disk\.path, or Disk"):
        DiskTier()
    with pytest.raises(ConfigurationError, match=r"^path='~/x' of the disk tier begins"):
        DiskTier("~/x")
    assert list(Path().iterdir()) == [], "nothing is created in the working directory"


def test_a_relative_home_directory_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "relative")
    with pytest.raises(ConfigurationError, match=r"^path='~/x' of the disk tier begins"):
        DiskTier("~/x")


@pytest.mark.usefixtures("no_home")
def test_without_a_home_directory_a_given_path_is_used(tmp_path: Path) -> None:
    with TieredCache([DiskTier(tmp_path)]) as cache:
        cache.set("key", 1)
        assert cache.get("key") == 1


@pytest.mark.parametrize("start_wall", [1e9, 4e9])
def test_records_expire_and_are_reclaimed_by_the_injected_clock(
    start_wall: float, tmp_path: Path
) -> None:
    clock = FakeClock(start_wall=start_wall)
    tier = DiskTier(tmp_path)
    tier.open(make_context("test", clock)[0])

    def rows() -> set[str]:
        with closing(sqlite3.connect(tier.directory / "cache.db")) as database:
            return {key for (key,) in database.execute("SELECT key FROM Cache")}

    tier.put("key", Put(b"x" * 200, 60.0))
    tier.put("other", Put(b"x" * 200, 600.0))
    clock.advance(59.0)
    found = tier.get("key")
    assert isinstance(found, Found)
    assert found.remaining_s == 1.0
    assert tier.info().entries == 2
    clock.advance(1.0)
    assert isinstance(tier.get("key"), Absent)
    assert list(tier.scan()) == ["other"]
    assert tier.info().entries == 1
    clock.advance(1.0)
    tier.put("third", Put(b"x" * 200, 60.0))
    assert rows() == {"other", "third"}, "a write reclaims expired rows, and no others"
    tier.close()
