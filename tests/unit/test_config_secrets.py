"""Secrets in settings: used as they are, shown nowhere."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from tests.installed_package import install
from tests.patience import PATIENCE
from tiered_cache import ConfigurationError
from tiered_cache._extensions import EXPORTERS
from tiered_cache.config import SettingsMistakesError, build_stack, load_settings
from tiered_cache.config.redaction import mask_url

SECRET = "hunter2hunter2hunter2"


@pytest.mark.parametrize(
    "settings",
    [
        {"sining_key": SECRET},
        {"redis": {"pasword": SECRET}},
        {"redi_url": f"redis://:{SECRET}@h/0"},
        {"redis": f"redis://:{SECRET}@h/0"},
        {"redis": [SECRET]},
        {"stacks": {"ci": 5, "prod": {"signing_key": SECRET}}},
        {"stacks": [SECRET]},
        {"signing_key": SECRET[:10]},
        {"signing_key": [SECRET]},
        {"signing_key": {"a": SECRET}},
        {"signing_key": SECRET + "${"},
        {"redis_url": f"redis://u:{SECRET}/x@h/0"},
        {"redis_url": f"redis://u:{SECRET}#x@h/0"},
        {"redis_url": f"redis://u:/{SECRET}@h/0"},
        {"redis_url": f"redis://u:x@{SECRET}@h:x/0"},
        {"redis_url": f"redis://{SECRET}@h/x"},
        {"redis_url": f"user:{SECRET}@host:6379"},
        {"redis_url": f"redis://h/x?password={SECRET}"},
        {"redis_url": f"redis://h/x?password=a@{SECRET}"},
        {"redis_url": f"redis://u:{SECRET}@h/${{NOT_SET_HERE}}"},
        {"redis_url": [f"redis://:{SECRET}@h"]},
        {"redis_url": {"a": SECRET}},
        {"redis_url": SECRET.encode(), "strict": "maybe"},
        {"tiers": ["redis"], "custom": {"redis": {"password": SECRET}}},
        {"redis_url": SECRET},
        {"redis_url": f'{{"signing_key": "{SECRET}"}}'},
        {"strict": f'{{"signing_key": "{SECRET}"}}'},
        {"tiers": ["memory", f"redis://:{SECRET}@h/0"]},
        {"default_ttl": f"redis://:{SECRET}@h/0"},
        {"memory": {"eviction": f"redis://:{SECRET}@h/0"}},
        {"custom": {"floppy": SECRET}},
        {"disk": {"path": f"redis://u:{SECRET}@h/0"}},
        {"custom": SECRET},
    ],
)
def test_no_mistake_shows_a_secret(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsMistakesError) as caught:
        load_settings(**settings)
    trace = "".join(
        traceback.TracebackException.from_exception(caught.value, capture_locals=False).format()
    )
    shown = str(caught.value) + repr(caught.value.mistakes) + trace
    assert SECRET[:10] not in shown
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("text", [f"signing_kee = '{SECRET}'", f"redis = 'redis://:{SECRET}@h'"])
def test_a_program_that_ends_with_the_error_shows_no_secret(text: str) -> None:
    Path("tiered-cache.toml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", "from tiered_cache import tiered; tiered.get('key')"],
        capture_output=True,
        text=True,
    )
    assert "SettingsMistakesError" in done.stderr
    assert SECRET not in done.stderr + done.stdout


def test_no_setting_that_is_shown_shows_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "acme_any.py").write_text("def make(*_, **options): pass\n")
    points = {group: {"floppy": "acme_any:make"} for group in ("tiered_cache.tiers", EXPORTERS)}
    install(tmp_path, "acme-any", points)
    monkeypatch.syspath_prepend(tmp_path)
    options = {
        "password": SECRET,
        "token": [SECRET],
        "credentials": {"user": SECRET},
        "nested": {"api_key": SECRET, "list": [{"secret": SECRET}]},
        "url": f"https://u:{SECRET}@h",
        "urls": [f"https://u:{SECRET}@h"],
        "drive": "A:",
    }
    settings = load_settings(
        signing_key=SECRET,
        redis_url=f"redis://user:{SECRET}@host/0?ssl_password={SECRET}",
        stacks={"ci": {"redis": {"url": f"redis://{SECRET}@host/0"}}},
        custom={"floppy": options},
        exporters={"floppy": options},
    )
    for name in settings.stack_names:
        stack = settings.stack(name)
        shown = [settings, stack, settings.resolved(name), stack.redis, settings._layers]
        assert SECRET not in repr(shown) + str(shown)
    resolved = {each.field: each.value for each in settings.resolved()}
    assert resolved["custom.floppy.drive"] == resolved["exporters.floppy.drive"] == "'A:'"
    assert resolved["redis_url"] == "'redis://user:***@host/0?ssl_password=***'"
    assert resolved["signing_key"] == "***"


def test_the_signing_key_may_be_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken literally, the text `${NAME}` would be a key that is no secret."""
    Path("tiered-cache.toml").write_text("signing_key = '${THE_SIGNING_KEY_OF_LINT}'\n")
    with pytest.raises(SettingsMistakesError, match="THE_SIGNING_KEY_OF_LINT is not set"):
        load_settings()
    monkeypatch.setenv("THE_SIGNING_KEY_OF_LINT", "short")
    with pytest.raises(SettingsMistakesError, match="at least 16; make one with"):
        load_settings()
    monkeypatch.setenv("THE_SIGNING_KEY_OF_LINT", SECRET)
    key = load_settings().stack().signing_key
    assert key is not None
    assert key.get_secret_value() == SECRET


def test_law_9_the_stack_signs_with_the_key_of_the_variable(
    monkeypatch: pytest.MonkeyPatch, redis_url: str, namespace: str
) -> None:
    monkeypatch.setenv("THE_SIGNING_KEY_OF_LINT", SECRET)
    redis = {"url": redis_url, **PATIENCE}
    options: dict[str, Any] = {"tiers": ["redis"], "redis": redis, "namespace": namespace}
    right = load_settings(**options, signing_key="${THE_SIGNING_KEY_OF_LINT}")
    with build_stack("default", right) as cache:
        cache.set("key", "value")
    with build_stack("default", load_settings(**options, signing_key=SECRET)) as same:
        assert same.get("key") == "value"
    monkeypatch.setenv("THE_SIGNING_KEY_OF_LINT", SECRET.upper())
    other = load_settings(**options, signing_key="${THE_SIGNING_KEY_OF_LINT}")
    with build_stack("default", other) as stranger:
        assert stranger.get("key") is None
        stranger.clear()


def test_a_key_that_is_no_text_is_used_all_the_same(namespace: str) -> None:
    """Bytes of a variable that are not UTF-8 arrive as surrogates."""
    settings = load_settings(tiers=["memory"], signing_key="\udcff" * 16, namespace=namespace)
    with build_stack("default", settings) as cache:
        assert cache.set("key", 1)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("redis://u:p@h/0", "redis://u:***@h/0"),
        ("redis://:p@h/0", "redis://:***@h/0"),
        ("redis://p@h/0", "redis://***@h/0"),
        ("redis://u:p@q@h/0", "redis://u:***@h/0"),
        ("redis://u:p/q@h/0", "redis://***"),
        ("redis://h/0?password=p&db=1", "redis://h/0?password=***&db=1"),
        ("unix:///run/redis.sock?password=p", "unix:///run/redis.sock?password=***"),
        ("redis+cluster://u:p@h:1,i:2", "redis+cluster://u:***@h:1,i:2"),
        ("u:p@h", "u:***@h"),
        ("redis://[::1", "redis://[::1"),
        ("", ""),
    ],
)
def test_urls_are_masked(url: str, masked: str) -> None:
    assert mask_url(url) == masked


def test_an_unreachable_server_is_told_without_its_password(namespace: str) -> None:
    url = f"redis://user:{SECRET}@127.0.0.1:1/0"
    settings = load_settings(tiers=["redis"], redis_url=url, namespace=namespace)
    with pytest.raises(Exception, match=r"127\.0\.0\.1:1") as caught:
        build_stack("default", settings)
    assert not isinstance(caught.value, ConfigurationError)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
