"""The sources of settings: redis_url and redis.url, variables, files, provenance."""

from __future__ import annotations

import datetime as dt
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tiered_cache.config import Settings, SettingsMistakesError, load_settings


def sources(settings: Settings, stack: str = "default") -> dict[str, str]:
    return {each.field: each.source for each in settings.resolved(stack)}


def mistakes_of(caught: pytest.ExceptionInfo[SettingsMistakesError]) -> dict[str, tuple[str, str]]:
    return {each.source: (each.field, each.fix) for each in caught.value.mistakes}


@pytest.mark.parametrize("weak", ["redis_url = 'redis://weak'", "[redis]\nurl = 'redis://weak'"])
@pytest.mark.parametrize("variable", ["TIERED_CACHE_REDIS_URL", "TIERED_CACHE_REDIS__URL"])
def test_both_names_of_the_url_are_one_setting(
    weak: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("tiered-cache.toml").write_text(weak)
    assert load_settings().stack().redis_address == "redis://weak"
    monkeypatch.setenv(variable, "redis://strong")
    assert load_settings().stack().redis_address == "redis://strong"
    arguments: list[dict[str, Any]] = [
        {"redis_url": "redis://given"},
        {"redis": {"url": "redis://given"}},
    ]
    for argument in arguments:
        assert load_settings(**argument).stack().redis_address == "redis://given"
        stacks = load_settings(stacks={"ci": argument})
        assert stacks.stack("ci").redis_address == "redis://given"
        assert stacks.stack().redis_address == "redis://strong"


def test_an_empty_url_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tiered-cache.toml").write_text("redis_url = '${NOT_GIVEN_TO_FORKS}'\n")
    monkeypatch.setenv("NOT_GIVEN_TO_FORKS", "")
    assert load_settings().stack().tier_names == ["memory", "disk"]
    with pytest.raises(SettingsMistakesError, match="there is no redis_url"):
        load_settings(tiers=["redis"])


def test_every_leaf_has_the_source_that_set_it(monkeypatch: pytest.MonkeyPatch) -> None:
    own, pyproject = Path("tiered-cache.toml"), Path("pyproject.toml")
    pyproject.write_text("[tool.tiered-cache]\nstrict = true\npromotion = 'never'\n")
    own.write_text("promotion = 'always'\n[stacks.ci.memory]\nmax_entries = 5\n")
    monkeypatch.setenv("TIERED_CACHE_DISK", '{"max_bytes": "5MiB", "timeout": 1}')
    monkeypatch.setenv("TIERED_CACHE_DISK__TIMEOUT", "3")
    monkeypatch.setenv("TIERED_CACHE_STACKS__CI__MEMORY__EVICTION", "lru")
    settings = load_settings(default_ttl=5)
    found = sources(settings)
    assert found["strict"] == f"[tool.tiered-cache] in {pyproject.resolve()}"
    assert found["promotion"] == str(own.resolve())
    assert found["disk.max_bytes"] == "TIERED_CACHE_DISK"
    assert found["disk.timeout"] == "TIERED_CACHE_DISK__TIMEOUT"
    assert found["default_ttl"] == "argument"
    assert found["memory.max_entries"] == found["tiers"] == "default"
    in_ci = sources(settings, "ci")
    assert in_ci["memory.max_entries"] == str(own.resolve())
    assert in_ci["memory.eviction"] == "TIERED_CACHE_STACKS__CI__MEMORY__EVICTION"
    assert in_ci["default_ttl"] == "argument"
    assert settings.stack().disk.timeout == 3


def test_the_resolved_settings_are_the_effective_ones() -> None:
    shown = {each.field: each.value for each in load_settings().resolved()}
    assert shown["tiers"] == "['memory', 'disk']"


def test_numbers_in_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERED_CACHE_DEFAULT_TTL", "3600")
    monkeypatch.setenv("TIERED_CACHE_PROBE_INTERVAL", "0.5")
    monkeypatch.setenv("TIERED_CACHE_MEMORY__MAX_BYTES", "1048576")
    monkeypatch.setenv("TIERED_CACHE_STRICT", "true")
    stack = load_settings().stack()
    assert (stack.default_ttl, stack.probe_interval, stack.strict) == (3600, 0.5, True)
    assert stack.memory.max_bytes == 1048576


def test_arguments_may_have_the_types_that_tiers_take(tmp_path: Path) -> None:
    stack = load_settings(
        tiers=("memory", "disk"), default_ttl=dt.timedelta(hours=1), disk={"path": tmp_path}
    ).stack()
    assert (stack.tiers, stack.default_ttl) == (["memory", "disk"], 3600)
    assert stack.disk.path == str(tmp_path)


@pytest.mark.parametrize(
    ("variable", "fix"),
    [
        ("TIERED_CACHE_MEMORY_MAX_ENTRIES", "did you mean 'TIERED_CACHE_MEMORY__MAX_ENTRIES'?"),
        ("TIERED_CACHE_REDISURL", "did you mean 'TIERED_CACHE_REDIS_URL'?"),
        ("TIERED_CACHE_MEMORY__MAX_ENTRYS", "did you mean 'max_entries'?"),
        ("TIERED_CACHE_STRICT__X", "did you mean 'TIERED_CACHE_STRICT'?"),
        ("TIERED_CACHE_QQQ", "rename it, or unset it"),
        ("tiered_cache_qqq", "rename it, or unset it"),
    ],
)
def test_a_variable_that_is_no_setting_is_told(
    variable: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIERED_CACHE_DEBUG", "1")
    load_settings()
    monkeypatch.setenv(variable, "1")
    with pytest.raises(SettingsMistakesError) as caught:
        load_settings()
    assert len(caught.value.mistakes) == 1
    assert mistakes_of(caught)[variable][1] == fix


def test_one_bad_variable_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERED_CACHE_DISK", "{bad")
    monkeypatch.setenv("TIERED_CACHE_STACKS__CI__MEMORY", "[1]")
    monkeypatch.setenv("TIERED_CACHE_CUSTOM__FLOPPY", "5")
    monkeypatch.setenv("TIERED_CACHE_REDIS_URL", "redis://h/0")
    monkeypatch.setenv("TIERED_CACHE_FAILURES_TO_OPEN", "0")
    with pytest.raises(SettingsMistakesError) as caught:
        load_settings(tiers=["redis"])
    assert {source: field for source, (field, _) in mistakes_of(caught).items()} == {
        "TIERED_CACHE_DISK": "disk",
        "TIERED_CACHE_STACKS__CI__MEMORY": "stacks.ci.memory",
        "TIERED_CACHE_CUSTOM__FLOPPY": "custom.floppy",
        "TIERED_CACHE_FAILURES_TO_OPEN": "failures_to_open",
    }


def test_sections_of_stacks_in_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tiered-cache.toml").write_text("[stacks.CI]\nstrict = false\n")
    monkeypatch.setenv("TIERED_CACHE_STACKS__CI__MEMORY", '{"max_entries": 3}')
    monkeypatch.setenv("TIERED_CACHE_STACKS__CI__TIERS", "memory,null")
    monkeypatch.setenv("TIERED_CACHE_STACKS__NEW__STRICT", "1")
    settings = load_settings()
    assert set(settings.stack_names) == {"default", "CI", "new"}
    assert settings.stack("CI").memory.max_entries == 3
    assert settings.stack("CI").tiers == ["memory", "null"]
    assert settings.stack("new").strict
    assert sources(settings, "CI")["tiers"] == "TIERED_CACHE_STACKS__CI__TIERS"


def test_mistakes_that_stacks_inherit_are_reported_once() -> None:
    Path("tiered-cache.toml").write_text(
        "tiers = ['redis']\nwriting = 'x'\n[stacks.a]\n[stacks.b]\nstrict = 'maybe'\n"
    )
    with pytest.raises(SettingsMistakesError) as caught:
        load_settings()
    fields = sorted(each.field for each in caught.value.mistakes)
    assert fields == ["stacks.b.strict", "tiers", "writing"]


def test_mistakes_that_the_default_stack_repairs_are_reported_for_heirs() -> None:
    stacks = {"default": {"writing": "write_around"}, "ci": {}}
    with pytest.raises(SettingsMistakesError) as caught:
        load_settings(writing="x", stacks=stacks)
    assert [each.field for each in caught.value.mistakes] == ["stacks.ci.writing"]


def test_a_mistake_in_the_table_of_the_default_stack_is_told_there() -> None:
    with pytest.raises(SettingsMistakesError, match=r"stacks\.default\.writing"):
        load_settings(stacks={"default": {"writing": "x"}})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a = 1\nb = = 2\n", "line 2, column 5"),
        ('a = """abc\n', "line 2, column 1"),
        ("a = [1,", "line 1, column 8"),
        ("a = " + "[" * 20_000, "too deep"),
    ],
)
def test_no_toml_is_told_with_line_and_column(text: str, place: str) -> None:
    Path("tiered-cache.toml").write_text(text)
    with pytest.raises(SettingsMistakesError) as caught:
        load_settings()
    assert len(caught.value.mistakes) == 1
    mistake = caught.value.mistakes[0]
    assert mistake.source == str(Path("tiered-cache.toml").resolve())
    assert place in mistake.found


def test_files_that_cannot_be_read_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tiered-cache.toml").write_bytes(b"a = '\xff'")
    Path("pyproject.toml").write_text("[tool]\ntiered-cache = 5\n")
    with pytest.raises(SettingsMistakesError, match=r"(?s)UTF-8.*tool\.tiered-cache: found"):
        load_settings()
    for named in ("~no-such-user-here/x.toml", "${NOT_SET_HERE}/x.toml", "."):
        monkeypatch.setenv("TIERED_CACHE_CONFIG", named)
        with pytest.raises(SettingsMistakesError, match="TIERED_CACHE_CONFIG: config file: found"):
            load_settings()


def test_the_path_of_the_file_is_expanded(isolated_home: Path) -> None:
    (isolated_home / "mine.toml").write_text("namespace = 'mine'\n")
    for named in ("~/mine.toml", "${HOME}/mine.toml", isolated_home / "mine.toml"):
        settings = load_settings(config_file=named)
        assert settings.stack().namespace == "mine"
        assert sources(settings)["namespace"] == str(isolated_home / "mine.toml")


def test_a_working_directory_that_is_gone_has_no_files(tmp_path: Path) -> None:
    program = """
import os, sys
os.chdir(sys.argv[1])
os.rmdir(sys.argv[1])
from tiered_cache.config import load_settings
print(load_settings().stack_names)
"""
    gone = tmp_path / "gone"
    gone.mkdir()
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(gone)], capture_output=True, text=True, check=True
    )
    assert "default" in done.stdout


def test_mistakes_survive_the_way_to_another_process() -> None:
    with pytest.raises(SettingsMistakesError) as caught:
        load_settings(strict="maybe", writing="x")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.mistakes == caught.value.mistakes
    assert str(copy) == str(caught.value)
    assert copy.args == caught.value.args
