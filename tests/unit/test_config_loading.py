"""Settings: precedence, sources, mistakes, secrets, stacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tiered_cache import ConfigurationError, tiered
from tiered_cache.config import (
    Settings,
    SettingsMistakesError,
    build_stack,
    load_settings,
)


def source_of(settings: Settings, field: str, stack: str = "default") -> tuple[str, str]:
    for each in settings.resolved(stack):
        if each.field == field:
            return each.value, each.source
    raise KeyError(field)


def mistakes(**arguments: Any) -> list[str]:
    with pytest.raises(SettingsMistakesError) as caught:
        load_settings(**arguments)
    text = str(caught.value)
    assert all(str(each) in text for each in caught.value.mistakes)
    return [str(each) for each in caught.value.mistakes]


@pytest.mark.proves("configuration/defaults")
def test_with_nothing_configured_there_is_memory_and_disk() -> None:
    settings = load_settings()
    assert settings.stack_names == ("default",)
    assert settings.stack().tier_names == ["memory", "disk"]
    assert {each.source for each in settings.resolved()} == {"default"}


@pytest.mark.proves("configuration/defaults")
def test_a_redis_url_adds_redis() -> None:
    assert load_settings(redis_url="redis://h/0").stack().tier_names == ["memory", "disk", "redis"]
    assert load_settings(redis={"url": "redis://h/0"}).stack().redis_address == "redis://h/0"


@pytest.mark.proves("configuration/precedence")
def test_precedence_level_by_level(monkeypatch: pytest.MonkeyPatch) -> None:
    pyproject = Path("pyproject.toml")
    own = Path("tiered-cache.toml")
    field = "memory.max_entries"
    assert source_of(load_settings(), field) == ("10000", "default")
    pyproject.write_text("[tool.tiered-cache.memory]\nmax_entries = 1\n[tool.other]\nx = 1\n")
    where = f"[tool.tiered-cache] in {pyproject.resolve()}"
    assert source_of(load_settings(), field) == ("1", where)
    own.write_text("[memory]\nmax_entries = 2\n")
    assert source_of(load_settings(), field) == ("2", str(own.resolve()))
    monkeypatch.setenv("TIERED_CACHE_MEMORY__MAX_ENTRIES", "3")
    assert source_of(load_settings(), field) == ("3", "TIERED_CACHE_MEMORY__MAX_ENTRIES")
    assert source_of(load_settings(memory={"max_entries": 4}), field) == ("4", "argument")


@pytest.mark.proves("configuration/precedence")
def test_sections_are_merged_across_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tiered-cache.toml").write_text("[memory]\nmax_bytes = '1MB'\neviction = 'lru'\n")
    monkeypatch.setenv("TIERED_CACHE_MEMORY__EVICTION", "fifo")
    memory = load_settings(memory={"copy": "deep"}).stack().memory
    assert (memory.max_bytes, memory.eviction, memory.copy_) == ("1MB", "fifo", "deep")


def test_files_are_found_above_up_to_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("tiered-cache.toml").write_text("default_ttl = '1d'\n")
    below = Path("a/b")
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    Path("../../.git").mkdir()
    assert load_settings().stack().default_ttl == "1d"
    (Path.cwd().parent / ".git").mkdir()
    assert load_settings().stack().default_ttl is None


def test_a_named_file_is_read_instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Path("tiered-cache.toml").write_text("namespace = 'near'\n")
    (tmp_path / "other.toml").write_text("namespace = 'named'\n")
    assert load_settings(config_file=tmp_path / "other.toml").stack().namespace == "named"
    monkeypatch.setenv("TIERED_CACHE_CONFIG", str(tmp_path / "other.toml"))
    assert load_settings().stack().namespace == "named"
    monkeypatch.setenv("TIERED_CACHE_CONFIG", str(tmp_path / "absent.toml"))
    assert "absent.toml" in mistakes()[0]


def test_lists_and_objects_in_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERED_CACHE_TIERS", "memory, null")
    assert load_settings().stack().tiers == ["memory", "null"]
    for text, tiers in [('["memory"]', ["memory"]), ("null", ["null"]), ('["null"]', ["null"])]:
        monkeypatch.setenv("TIERED_CACHE_TIERS", text)
        assert load_settings().stack().tiers == tiers
    monkeypatch.setenv("TIERED_CACHE_TIERS", "[memory")
    assert "TIERED_CACHE_TIERS: tiers: " in mistakes()[0]
    monkeypatch.setenv("TIERED_CACHE_TIERS", "memory, null")
    monkeypatch.setenv("TIERED_CACHE_DISK", '{"max_bytes": "5MiB"}')
    stack = load_settings().stack()
    assert stack.tiers == ["memory", "null"]
    assert stack.disk.max_bytes == "5MiB"
    monkeypatch.setenv("TIERED_CACHE_DISK", "{not json")
    (told,) = mistakes()
    assert told.startswith("TIERED_CACHE_DISK: disk: found text that is not JSON; ")


@pytest.mark.proves("configuration/named-stacks")
def test_named_stacks_inherit_and_override() -> None:
    Path("tiered-cache.toml").write_text(
        """
        default_ttl = "1d"
        [memory]
        max_entries = 7
        [stacks.ci]
        tiers = ["memory", "disk"]
        memory.max_bytes = "1MB"
        [stacks.night]
        namespace = "shared"
        default_ttl = "7d"
        """
    )
    settings = load_settings(strict=True)
    assert settings.stack_names == ("default", "ci", "night")
    ci, night = settings.stack("ci"), settings.stack("night")
    assert (ci.namespace, night.namespace) == ("ci", "shared")
    assert (ci.memory.max_entries, ci.memory.max_bytes) == (7, "1MB")
    assert settings.stack().memory.max_bytes is None
    assert (ci.default_ttl, night.default_ttl, ci.strict) == ("1d", "7d", True)
    with pytest.raises(ConfigurationError, match="one of default, ci, night"):
        settings.stack("nightly")


@pytest.mark.proves("configuration/all-mistakes")
def test_all_mistakes_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Path("tiered-cache.toml")
    own.write_text(
        """
        tierss = ["memory"]
        [memory]
        max_entries = 0
        evicton = "lru"
        [redis]
        timeout = "soon"
        [stacks.ci]
        writing = "sometimes"
        """
    )
    monkeypatch.setenv("TIERED_CACHE_DISK__MAX_BYTES", "lots")
    monkeypatch.setenv("TIERED_CACHE_MEMROY", "1")
    told = "\n".join(mistakes(strict="maybe", tiers=[]))
    for source, field, found, allowed in [
        (own.resolve(), "tierss", "unknown setting", "did you mean 'tiers'?"),
        (own.resolve(), "memory.max_entries", "0", "greater than or equal to 1"),
        (own.resolve(), "memory.evicton", "unknown setting", "did you mean 'eviction'?"),
        (own.resolve(), "redis.timeout", "'soon'", "such as '10m'"),
        (own.resolve(), "stacks.ci.writing", "'sometimes'", "write_through"),
        ("TIERED_CACHE_DISK__MAX_BYTES", "disk.max_bytes", "'lots'", "such as '512MiB'"),
        ("TIERED_CACHE_MEMROY", "memroy", "unknown variable", "'TIERED_CACHE_MEMORY'?"),
        ("argument", "strict", "'maybe'", "expected true or false"),
        ("argument", "tiers", "[]", "at least 1"),
    ]:
        lines = [line for line in told.splitlines() if line.startswith(f"{source}: {field}: ")]
        assert len(lines) == 1, (field, told)
        assert found in lines[0]
        assert allowed in lines[0]
    assert len(told.splitlines()) == 9


@pytest.mark.proves("configuration/all-mistakes")
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"tiers": ["redis"]}, "there is no redis_url"),
        ({"memory": {"eviction": "best"}}, "sieve"),
        ({"memory": {"copy": "shallow"}}, "'deep' or 'check'"),
        ({"promotion": "often"}, "always"),
        ({"default_ttl": 0}, "would expire at once"),
        ({"default_ttl": -1}, "expected more than zero seconds"),
        ({"probe_interval": "x"}, "not a duration"),
        ({"failures_to_open": 0}, "greater than or equal to 1"),
        ({"namespace": "../up"}, "pattern"),
        ({"signing_key": "short"}, "at least 16"),
        ({"disk": {"path": "${NOT_SET}/x"}}, "NOT_SET is not set"),
        ({"disk": {"path": 5}}, "found 5; expected text"),
        ({"memory": 5}, "found a value of type int; expected a table"),
        ({"stacks": 5}, "table"),
        ({"stacks": {"ci": 5}}, "stacks.ci: found a value of type int"),
        ({"stacks": {"a b": {}}}, "rename the stack"),
        (
            {"tiers": ["memory", "floppy"]},
            "there is no tier called 'floppy'; expected one of memory, disk, redis, null; ",
        ),
        ({"tiers": ["memory", "memory"]}, "name each tier once"),
        ({"default_ttl": []}, "such as '10m'"),
        ({"default_ttl": True}, "not bool"),
        ({"memory": {"max_entries": True}}, "not true or false"),
        ({"redis": {"timeout": 0}}, "longer than zero"),
        ({"disk": {"path": ""}}, "leave it out"),
        ({"disk": {"path": "redis://h/0"}}, "put a server's in redis_url"),
        ({"disk": {"path": "~no-such-user-here/x"}}, "write the whole path"),
        ({"disk": {"path": "${HOME:-/tmp}"}}, "name of an environment variable"),
        ({"redis_url": "localhost:6379"}, "must begin with redis://"),
        ({"redis_url": "redis://h:99999/0"}, "1 to 65535"),
        ({"redis_url": "redis://h/zero"}, "number of a database"),
        ({"redis_url": "redis://:a/b@h/0"}, "%2F"),
        ({"redis_url": "redis+cluster://h,i:0"}, "host:port,host:port"),
        ({"redis_url": "redis+cluster://h,,i"}, "host:port,host:port"),
        ({"redis_url": "redis+cluster://:a/b@h,i"}, "%2F"),
        ({"redis_url": "redis+cluster://h/0,i"}, "host:port,host:port"),
        ({"redis_url": "redis+cluster://h,i:7000/1"}, "only the database 0"),
        ({"redis_url": "redis://h", "redis": {"url": "redis://i"}}, "remove one of them"),
        ({"custom": {"disk": {"path": "/x"}}}, "move them to [disk]"),
    ],
)
def test_each_kind_of_mistake(settings: dict[str, Any], told: str) -> None:
    assert told in "\n".join(mistakes(**settings))


@pytest.mark.parametrize(
    ("settings", "begin"),
    [
        (
            {"tierss": []},
            "tierss: did you mean 'tiers'? found an unknown setting; expected one of ",
        ),
        (
            {"memory": {"evicton": "lru"}},
            "memory.evicton: did you mean 'eviction'? found an unknown setting; expected one of ",
        ),
        ({"policies": {"write_bak": {}}}, "policies.write_bak: did you mean 'write_back'? found "),
        (
            {"memory": {"eviction": "siev"}},
            "memory.eviction: did you mean 'sieve'? found 'siev', which is not a policy",
        ),
        (
            {"tiers": ["memory", "dusk"]},
            "tiers: did you mean 'disk'? found ['memory', 'dusk']: there is no tier called 'dusk'; ",
        ),
    ],
)
def test_a_suggestion_comes_first(settings: dict[str, Any], begin: str) -> None:
    (told,) = mistakes(**settings)
    assert told.startswith(f"argument: {begin}")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"version": 2}, "version: found an unknown setting; expected one of namespace, tiers, "),
        ({"namespace": 2}, "namespace: found 2; expected text; "),
        ({"tiers": 2}, "tiers: found 2; expected a list; "),
        ({"tiers": ["memory", 2]}, "tiers.1: found 2; expected text; "),
        ({"strict": 2}, "strict: found 2; expected true or false; "),
        ({"writing": 2}, "writing: found 2; expected text; "),
        ({"redis_url": 2}, "redis_url: found 2; expected text; "),
        ({"max_ttl": 2}, "max_ttl: found a value of type int; expected a table "),
        ({"memory": {"max_entries": "2x"}}, "max_entries: found '2x'; expected a whole number; "),
        ({"memory": {"max_bytes": []}}, "memory.max_bytes: found []; it must be a number of bytes"),
        ({"default_ttl": []}, "default_ttl: found []; it must be seconds, a timedelta or a string"),
        ({"stale_for": None}, "stale_for: found none; it must be seconds, a timedelta or a string"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_when_settings_are_loaded(
    settings: dict[str, Any], told: str
) -> None:
    (line,) = mistakes(**settings)
    assert told in line


@pytest.mark.parametrize("text", ["60", "60s", "1m", "60.0"])
def test_a_duration_without_a_unit_is_in_seconds(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    Path("tiered-cache.toml").write_text(f"tiers = ['memory']\ndefault_ttl = '{text}'\n")
    with build_stack() as cache:
        cache.set("key", 1)
        assert 59 < cache.lookup("key").remaining_s <= 60
    Path("tiered-cache.toml").unlink()
    monkeypatch.setenv("TIERED_CACHE_TIERS", "memory")
    monkeypatch.setenv("TIERED_CACHE_DEFAULT_TTL", text)
    with build_stack() as cache:
        cache.set("key", 1)
        assert 59 < cache.lookup("key").remaining_s <= 60


@pytest.mark.parametrize("name", ["tiered-cache.toml", "pyproject.toml"])
def test_a_file_that_is_no_toml_is_told_with_its_place(name: str) -> None:
    Path(name).write_text("a = 1  # of tiered-cache\nb = = 2\n")
    (told,) = mistakes()
    assert name in told
    assert "line 2" in told


def test_variables_and_home_are_expanded(
    monkeypatch: pytest.MonkeyPatch, isolated_home: Path
) -> None:
    monkeypatch.setenv("SECRET", "pass%2Fword")
    settings = load_settings(disk={"path": "~/x"})
    assert settings.stack().disk.path == str(isolated_home / "x")
    monkeypatch.setenv("HOST", "example")
    settings = load_settings(redis_url="redis://:${SECRET}@${HOST}/0")
    assert settings.stack().redis_address == "redis://:pass%2Fword@example/0"


@pytest.mark.proves("configuration/secrets")
def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIERED_CACHE_SIGNING_KEY", "the-secret-signing-key")
    monkeypatch.setenv("TIERED_CACHE_REDIS__URL", "redis://user:the-secret@host/0")
    settings = load_settings()
    shown = [settings, settings.stack(), settings.resolved(), settings.stack().redis]
    assert "the-secret" not in repr(shown)
    assert source_of(settings, "redis.url")[0] == "'redis://user:***@host/0'"
    monkeypatch.setenv("TIERED_CACHE_SIGNING_KEY", "the-secret")
    monkeypatch.setenv("TIERED_CACHE_REDIS__URL", "redis://user:the-secret@${NOT_SET}/0")
    with pytest.raises(SettingsMistakesError) as caught:
        load_settings()
    assert len(caught.value.mistakes) == 2
    assert "the-secret" not in str(caught.value) + repr(caught.value.mistakes)


def test_a_stack_is_built_as_the_settings_say(tmp_path: Path, redis_url: str) -> None:
    Path("tiered-cache.toml").write_text(
        f"""
        redis_url = "{redis_url}"
        default_ttl = "1h"
        signing_key = "a key that is long enough"
        [memory]
        max_entries = 5
        eviction = "lru"
        [disk]
        path = "{tmp_path}"
        """
    )
    with build_stack() as cache:
        assert [tier.name for tier in cache.stats().tiers] == ["memory", "disk", "redis"]
        assert cache.stats().tiers[0].max_entries == 5
        assert cache.set("key", {1, 2})
        assert 3000 < cache.lookup("key").remaining_s <= 3600
        assert (tmp_path / "default" / "cache.db").exists()
        cache.clear()


def test_an_order_that_makes_no_sense_and_unknown_tiers_are_told() -> None:
    with pytest.raises(ConfigurationError, match="put 'memory' first"):
        build_stack("default", load_settings(tiers=["disk", "memory"]))
    with pytest.raises(ConfigurationError, match=r"'floppy'.*memory, disk, redis, null"):
        build_stack("default", load_settings(tiers=["memory", "floppy"]))


def test_the_default_cache_comes_from_the_settings_and_can_be_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tiered_cache

    try:
        tiered_cache.configure(tiers=["memory"], memory={"max_entries": 3})
        assert tiered.get_or_compute("key", lambda: 1) == 1
        assert tiered.stats().tiers[0].max_entries == 3
        with tiered_cache.TieredCache([tiered_cache.MemoryTier(4)]) as other:
            tiered_cache.configure(other)
            assert tiered.stats().tiers[0].max_entries == 4
            assert "key" not in tiered
        with pytest.raises(ConfigurationError, match="only one of them"):
            tiered_cache.configure(other, tiers=["memory"])
    finally:
        tiered_cache.configure(settings=load_settings())


@pytest.mark.proves("configuration/lazy-import")
def test_a_memory_stack_imports_neither_redis_nor_diskcache() -> None:
    program = """
import sys, tiered_cache
heavy = {"redis", "diskcache", "pydantic", "pydantic_settings", "cachetools", "msgspec"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
tiered_cache.configure(tiers=["memory"])
tiered_cache.tiered.set("key", 1)
assert not {"redis", "diskcache"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_documented_exit_codes_are_the_real_ones() -> None:
    from tiered_cache.cli.exits import EXIT_CODES

    page = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
    rows = [line.split("|")[1:3] for line in page.read_text().splitlines() if line.startswith("| ")]
    told = {int(code): meaning.strip() for code, meaning in rows if code.strip().isdigit()}
    assert told == EXIT_CODES
