"""A project file is a stranger's until the user trusts it: it tunes the cache, and reaches nothing."""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tiered_cache import CacheManager, TieredCache, configure, tiered
from tiered_cache.cli import main
from tiered_cache.config import load_settings, settings_files, sources
from tiered_cache.config.schema import StackSettings
from tiered_cache.config.untrusted import permitted
from tiered_cache.errors import ConfigurationError

FILE, PYPROJECT = Path("tiered-cache.toml"), Path("pyproject.toml")


@pytest.fixture(autouse=True)
def _strange(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIERED_CACHE_TRUST")
    sources._told.clear()


ATTACKS = {
    "an address": "redis_url = 'redis://evil:6379'",
    "an address in a section": "[redis]\nurl = 'redis://evil:6379'",
    "a secret": "redis_url = 'redis://evil/${CI_TOKEN}'",
    "a signing key": "signing_key = 'a key that the attacker knows'",
    "a path": "[disk]\npath = '/tmp/prepared'",
    "the size of a disk": "[disk]\nmax_bytes = '1B'",
    "tiers": "tiers = ['null']",
    "an import": "tiers = ['acme']",
    "options of a tier": "[custom.acme]\npath = '/'",
    "an exporter": "exporters = ['logs']",
    "a write policy": "writing = 'write_back'",
    "the options of a write policy": "[policies.write_back]\ndurability = 'disk'",
    "a policy of a package": "promotion = 'acme'",
    "strictness": "strict = true",
    "a deadline": "[redis]\ntimeout = '1h'",
    "coherence": "[coherence]\nwhen_cut = 'serve'",
    "single flight": "[single_flight]\nscope = 'thread'",
    "a breaker": "failures_to_open = 1000000",
    "more memory": "[memory]\nmax_entries = 1000000000",
    "copies": "[memory]\ncopy = 'check'",
    "the default stack": "[stacks.default]\nredis_url = 'redis://evil:6379'\ntiers = ['redis']",
    "a variable in a lifetime": "default_ttl = '${CI_TOKEN}'",
    "an unknown setting": "future = 'anything'",
    "a wrong type": "default_ttl = []",
    "no TOML": "tiers = [",
    "a stale answer": "stale_for = '100w'",
    "an answer that slides": "refreshing = 'sliding'\n[policies.sliding]\nttl = '1w'",
    "a list as text": "expiry = '['",
    "many policies": f"expiry = {['jittered'] * 1000}",
    "a number of many digits": f"default_ttl = {'9' * 5000}",
    "a hexadecimal number of many digits": f"default_ttl = 0x{'f' * 5000}",
    "an endless number": "[policies.early_refresh]\nbeta = inf",
    "a huge option": f"[policies.early_refresh]\nbeta = {'9' * 400}.0",
    "much memory for a policy": "[policies.second_hit]\nmax_keys = 1000000000000",
    "a function of a policy": "[policies.jittered]\nrandom = 'x'",
    "a size of a policy": "[policies.s3fifo]\ngetsizeof = 'x'",
    "a policy without its options": "expiry = ['until']",
    "an admission without its options": "[admission]\nmemory = ['min_cost']",
    "deep lists": f"default_ttl = {'[' * 400}{']' * 400}",
    "deep keys": f"policies.{'.'.join('a' * 900)} = 1",
    "too deep keys": f"{'.'.join('a' * 20_000)} = 1",
    "a long namespace": f"namespace = '{'x' * 60}'",
    "a namespace with a path": "namespace = '../../x'",
    "a large file": f"# {'x' * 300_000}",
    "an escape sequence": r'"x\n\u001b[2J\u001b[31mall checks passed\u0007" = 1',
    "many names": "\n".join(f"x{number} = 1" for number in range(5000)),
    "many stacks": "\n".join(f"[stacks.x{number}]\nstrict = true" for number in range(500)),
}


@pytest.mark.proves("configuration/untrusted")
@pytest.mark.parametrize("place", ["tiered-cache.toml", "pyproject.toml"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_law_9_a_checkout_reaches_nothing(
    attack: str,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("CI_TOKEN", "hunter2hunter2")
    without = load_settings()
    text = ATTACKS[attack]
    if place == "pyproject.toml":
        head, bracket, rest = text.partition("[")
        sections = (bracket + rest).replace("[", "[tool.tiered-cache.", 1) if head == "" else ""
        text = sections.replace("\n[", "\n[tool.tiered-cache.") or f"[tool.tiered-cache]\n{text}"
    Path(place).write_text(text)
    caplog.set_level(logging.WARNING, "tiered_cache")
    for _ in range(3):
        assert load_settings().stack() == without.stack()
    lines = [each.getMessage() for each in caplog.records]
    assert len(lines) == 1
    assert "is not trusted" in lines[0]
    assert "tiered-cache trust" in lines[0] or "config check" in lines[0]
    assert "hunter2" not in lines[0]
    assert lines[0].isprintable()
    assert len(lines[0]) < 1500
    assert main(["config", "check"]) in (0, 3)
    assert CacheManager("memory").get_cache("reports").set("key", 1)
    with TieredCache.from_settings() as cache:
        cache.set("key", 1)
        assert cache.get("key") == 1


@pytest.mark.proves("configuration/untrusted")
def test_each_setting_is_reached_only_if_it_is_listed() -> None:
    """A setting that is added later is a stranger's until it is listed in `untrusted`."""
    tunable = {
        *("default_ttl", "promotion", "expiry", "refreshing", "statistics"),
        *("max_ttl", "admission", "policies", "memory", "namespace"),
    }
    values: dict[str, Any] = {
        name: {"x": {"y": 1}} if name in ("policies", "custom") else "never"
        for name in StackSettings.model_fields
        if name not in tunable
    }
    kept, ignored = permitted(values)
    assert kept == {}
    assert sorted(ignored) == sorted(values)


def test_a_checkout_tunes_the_cache() -> None:
    FILE.write_text(
        "namespace = 'lint'\n"
        "default_ttl = '1d'\n"
        "refreshing = 'refresh_ahead'\n"
        "expiry = ['jittered']\n"
        "statistics = 'histograms'\n"
        "promotion = 'on_hit'\n"
        "[max_ttl]\nmemory = '1h'\n"
        "[memory]\nmax_entries = 50\nmax_bytes = '1MiB'\neviction = 'lru'\n"
        "[admission]\ndisk = ['min_cost']\n"
        "[policies.min_cost]\nleast = '5ms'\n"
    )
    settings = load_settings()
    stack = settings.stack()
    assert stack.namespace == "default.lint"
    assert (stack.default_ttl, stack.refreshing) == ("1d", "refresh_ahead")
    assert (stack.memory.max_entries, stack.memory.eviction) == (50, "lru")
    assert stack.policies == {"min_cost": {"least": "5ms"}}
    resolved = {each.field: each for each in settings.resolved()}
    assert not resolved["default_ttl"].is_trusted
    assert resolved["default_ttl"].source == f"{FILE.absolute()} (untrusted)"
    assert resolved["strict"].is_trusted
    with TieredCache.from_settings() as cache:
        assert cache.name == "default.lint"
    named = resolved["namespace"]
    assert (named.value, named.is_trusted) == ("'default.lint'", False)
    with CacheManager("memory") as manager:  # without the disk that the file has rules for
        assert manager.get_cache().set("key", 1)


def test_trusted_sources_are_stronger_than_an_untrusted_file(
    isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FILE.write_text(
        "default_ttl = '1s'\nexpiry = ['jittered']\npromotion = 'never'\nnamespace = 'x'\n"
    )
    own = isolated_home / "config" / "tiered-cache" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("default_ttl = '1h'\nnamespace = 'mine'\n")
    monkeypatch.setenv("TIERED_CACHE_EXPIRY", "negative")
    stack = load_settings(promotion="always").stack()
    assert (stack.default_ttl, stack.expiry, stack.promotion) == ("1h", ["negative"], "always")
    assert stack.namespace == "mine.x"


@pytest.mark.parametrize("trusted", [False, True])
def test_a_named_stack_takes_no_name_of_another_cache(
    trusted: bool, isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FILE.write_text("[stacks.ci]\ndefault_ttl = '1d'\ntiers = ['null']\n")
    if trusted:
        monkeypatch.setenv("TIERED_CACHE_TRUST", "1")
    stack = load_settings().stack("ci")
    assert stack.namespace == ("ci" if trusted else "default.ci")
    assert stack.tier_names == (["null"] if trusted else ["memory", "disk"])
    assert stack.default_ttl == "1d"


@pytest.mark.proves("configuration/precedence")
def test_a_strange_spelling_takes_no_variable_of_a_stack(
    isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = isolated_home / "config" / "tiered-cache" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("[stacks.ci]\n")
    monkeypatch.setenv("TIERED_CACHE_STACKS__CI__TIERS", "memory")
    FILE.write_text("[stacks.CI]\ndefault_ttl = '1d'\n")
    settings = load_settings()
    assert settings.stack_names == ("default", "ci")
    assert settings.stack("ci").tier_names == ["memory"]
    assert settings.stack("ci").namespace == "ci", "of a table without fields too"


def test_a_pipe_or_a_link_in_the_place_of_a_file_hangs_nothing(isolated_home: Path) -> None:
    os.mkfifo(FILE)
    load_settings()
    FILE.unlink()
    foreign = isolated_home / "foreign.toml"
    foreign.write_text("default_ttl = '1d'\n")
    os.chown(foreign, 1234, -1)
    FILE.symlink_to(foreign)
    assert load_settings().stack().default_ttl is None
    os.chown(foreign, os.getuid(), -1)
    os.chown(FILE, 1234, -1, follow_symlinks=False)
    assert load_settings().stack().default_ttl is None, "the link is another user's"


@pytest.mark.parametrize("mode", [0o666, 0o620])
def test_what_others_may_write_is_no_word_of_the_user(mode: int, isolated_home: Path) -> None:
    FILE.write_text("strict = true\n")
    assert main(["trust"]) == 0
    listed = isolated_home / "data" / "tiered-cache" / "trusted.json"
    listed.chmod(mode)
    assert not load_settings().stack().strict
    assert main(["trust"]) == 3, "the list is not replaced"
    own = isolated_home / "config" / "tiered-cache" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("strict = true\n")
    assert load_settings().stack().strict
    own.chmod(mode)
    assert not load_settings().stack().strict


def test_trust_follows_the_directory_and_not_its_spelling(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Path("a; touch PWNED #")
    project.mkdir()
    link = Path("link")
    link.symlink_to(project, target_is_directory=True)
    (project / FILE).write_text("strict = true\n")
    assert main(["trust", str(link / ".." / "link")]) == 0
    monkeypatch.chdir(link)
    assert load_settings().stack().strict
    FILE.unlink()
    assert main(["trust", "--revoke"]) == 0, "of a file that is gone"
    FILE.write_text("strict = true\n")
    assert not load_settings().stack().strict
    capsys.readouterr()
    main(["config", "check"])
    assert f"tiered-cache trust '{Path.cwd()}/tiered-cache.toml'" in capsys.readouterr().err
    Path("other.toml").write_text("strict = true\n")
    assert main(["trust", "other.toml"]) == 1, "no project file"


def test_trust_judges_a_file_together_with_the_other_sources(
    isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = isolated_home / "config" / "tiered-cache" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("redis_url = 'redis://ours'\n")
    FILE.write_text("tiers = ['memory', 'redis']\n")
    assert main(["trust"]) == 0
    for text in ("expiry = ['until']\n", "strict = []\n"):
        monkeypatch.setenv("TIERED_CACHE_STRICT", "1")
        FILE.write_text(text)
        assert main(["trust"]) == 3


def test_a_rule_for_a_tier_that_the_stack_lacks_is_left_out() -> None:
    FILE.write_text(
        "default_ttl = '1d'\n[max_ttl]\nnowhere = '1h'\nmemory = '1h'\n[admission]\nredis = []\n"
    )
    stack = load_settings().stack()
    assert (stack.default_ttl, stack.max_ttl) == ("1d", {"memory": "1h"})
    assert load_settings(tiers=["disk"]).stack().max_ttl == {}
    TieredCache.from_settings().close()


def test_a_broken_pyproject_of_others_is_not_our_concern(
    caplog: pytest.LogCaptureFixture,
) -> None:
    PYPROJECT.write_text("[tool.other]\na = \n")
    load_settings()
    assert caplog.records == []
    assert main(["config", "check"]) == 0


def test_trust_in_an_empty_table_covers_no_broken_file() -> None:
    PYPROJECT.write_text("[tool.tiered-cache]\n")
    assert main(["trust"]) == 0
    PYPROJECT.write_text("[tool.tiered-cache]\nstrict = \n")
    assert not load_settings().stack().strict


def test_a_variable_and_an_argument_beat_the_table_of_a_named_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIERED_CACHE_TRUST", "1")
    monkeypatch.setenv("TIERED_CACHE_DEFAULT_TTL", "1h")
    FILE.write_text(
        "[stacks.default]\ndefault_ttl = '1d'\nstrict = true\n"
        "[stacks.ci]\ndefault_ttl = '2d'\nstrict = true\n"
    )
    settings = load_settings(strict=False)
    for name in ("default", "ci"):
        assert settings.stack(name).default_ttl == "1h"
        assert settings.stack(name).strict is False
        sources_of = {each.field: each.source for each in settings.resolved(name)}
        assert sources_of["default_ttl"] == "TIERED_CACHE_DEFAULT_TTL"
        assert sources_of["strict"] == "argument"


@pytest.mark.parametrize("by", ["variable", "argument"])
def test_a_named_file_replaces_all_that_would_be_found(
    by: str, isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIERED_CACHE_TRUST", "1")
    own = isolated_home / "config" / "tiered-cache" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("stale_for = '1m'\n")
    FILE.write_text("failures_to_open = 7\n")
    PYPROJECT.write_text("[tool.tiered-cache]\nprobe_interval = '1s'\n")
    service = isolated_home / "service.toml"
    service.write_text("default_ttl = '1d'\nredis_url = 'redis://ours'\n")
    found = load_settings().stack()
    assert (found.stale_for, found.failures_to_open, found.probe_interval) == ("1m", 7, "1s")
    for name, ttl in ((str(service), "1d"), ("", None)):
        if by == "variable":
            monkeypatch.setenv("TIERED_CACHE_CONFIG", name)
            stack = load_settings().stack()
        else:
            stack = load_settings(config_file=name).stack()
        assert (stack.default_ttl, stack.stale_for) == (ttl, 0)
        assert (stack.failures_to_open, stack.probe_interval) == (5, "5s")


def test_files_above_are_found_in_a_repository_only(monkeypatch: pytest.MonkeyPatch) -> None:
    FILE.write_text("default_ttl = '1d'\n")
    below = Path("a/b")
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert load_settings().stack().default_ttl is None, "anyone may write above"
    Path("../../.git").mkdir()
    assert load_settings().stack().default_ttl == "1d"
    Path("../.git").write_text("gitdir: elsewhere\n")
    assert load_settings().stack().default_ttl is None, "of another repository"


def test_a_file_of_another_user_is_skipped_until_it_is_trusted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    FILE.write_text("default_ttl = '1d'\n")
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    os.chown(FILE, 1234, -1)
    assert load_settings().stack().default_ttl is None
    assert "belongs to another user" in caplog.text
    assert main(["trust"]) == 0
    assert load_settings().stack().default_ttl == "1d"
    os.chown(FILE, 0, -1)
    assert settings_files.project_files()[0].is_ours, "of root"


@pytest.mark.proves("configuration/untrusted")
def test_trust_is_for_a_path_and_its_content(
    capsys: pytest.CaptureFixture[str], isolated_home: Path
) -> None:
    texts = ["strict = true\n", "strict = true\nfailures_to_open = 9\n"]
    for text in texts:
        FILE.write_text(text)
        assert not load_settings().stack().strict
        assert main(["trust"]) == 0
        assert load_settings().stack().strict
    for text in texts:  # as when branches change
        FILE.write_text(text)
        assert load_settings().stack().strict
    FILE.write_text("strict = true\nfailures_to_open = 10\n")
    assert not load_settings().stack().strict
    FILE.write_text(texts[0])
    moved = Path("elsewhere.toml")
    FILE.rename(moved)
    elsewhere = Path("other")
    elsewhere.mkdir()
    capsys.readouterr()
    assert main(["trust", "--list", "--json"]) == 0
    (path, digests), *_ = json.loads(capsys.readouterr().out).items()
    assert (path, len(digests)) == (str(FILE.absolute()), 2)
    moved.rename(FILE)
    assert main(["trust", "--revoke"]) == 0
    assert not load_settings().stack().strict
    assert main(["trust", "--revoke"]) == 1
    listed = isolated_home / "data" / "tiered-cache" / "trusted.json"
    assert stat.S_IMODE(listed.stat().st_mode) == 0o600
    listed.write_text("{'no json")
    assert not load_settings().stack().strict


def test_trust_in_a_pyproject_is_for_its_table() -> None:
    PYPROJECT.write_text("[project]\nname = 'a'\n[tool.tiered-cache]\nstrict = true\n")
    assert main(["trust", "."]) == 0
    PYPROJECT.write_text("[project]\nname = 'b'\n[tool.tiered-cache]\nstrict = true # same\n")
    assert load_settings().stack().strict
    PYPROJECT.write_text("[tool.tiered-cache]\nstrict = true\nredis_url = 'redis://evil'\n")
    assert load_settings().stack().redis_url is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("strictt = true", 0),
        ("strict = ", 3),
        ("strict = 'maybe'", 0),
        ("default_ttl = '1 parsec'", 3),
    ],
)
def test_a_file_with_mistakes_is_not_trusted_and_is_explained(
    text: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    FILE.write_text(text)
    load_settings()
    assert main(["trust"]) == 3
    told = capsys.readouterr().err
    assert str(FILE.absolute()) in told
    assert main(["config", "check"]) == code
    assert "tiered-cache trust" in capsys.readouterr().err
    with pytest.raises(ConfigurationError):
        load_settings(config_file=FILE)


def test_config_show_and_check_say_what_is_trusted(capsys: pytest.CaptureFixture[str]) -> None:
    FILE.write_text("default_ttl = '1d'\nredis_url = 'redis://evil'\n")
    assert main(["config", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["default_ttl"]["trusted"] is False
    assert shown["redis_url"] == {"value": "none", "source": "default", "trusted": True}
    assert main(["config", "show"]) == 0
    assert "(untrusted)" in capsys.readouterr().out
    assert main(["config", "check"]) == 0
    told = capsys.readouterr().err
    assert "ignored, because it is not trusted: redis_url" in told


@pytest.mark.proves("configuration/untrusted")
def test_law_9_the_commands_and_the_faces_reach_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_TOKEN", "hunter2hunter2")
    FILE.write_text(
        "redis_url = 'redis://127.0.0.1:9/${CI_TOKEN}'\ntiers = ['memory', 'redis']\nstrict = true\n"
    )
    for command in (["stats"], ["doctor"], ["keys"], ["set", "key", "1"], ["get", "key"]):
        assert main(command) == 0
    output = capsys.readouterr()
    assert "127.0.0.1:9" not in output.out + output.err
    assert "hunter2" not in output.out + output.err
    with CacheManager() as manager:
        assert "redis" not in repr(manager)
    configure()
    assert [each.name for each in tiered.stats().tiers] == ["memory", "disk"]
    configure(tiers=["memory"])
