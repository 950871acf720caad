"""Exporters that the settings name: they start with the cache, and stop when it is closed."""

from __future__ import annotations

import logging
import socket
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY, generate_latest

from tests.installed_package import install
from tiered_cache import CacheManager, TieredCache, configure, tiered
from tiered_cache.cli import main
from tiered_cache.config import build_stack, load_settings
from tiered_cache.config import exporters as exporting
from tiered_cache.errors import ConfigurationError
from tiered_cache.testing import in_forked_child

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULE = """
told = []

import threading

gate = threading.Event()

def start(cache, *, port=8125, fails=""):
    if fails == "start":
        raise OSError("the password hunter2 is wrong")
    if fails == "end":
        return None
    told.append(("start", cache.name, port))
    end = cache.on_event(lambda event: told.append((event.kind.value, event.key)), ["write"])

    def stop():
        end()
        told.append(("stop", cache.name, port))
        if fails == "stop":
            raise OSError("the password hunter2 is wrong")
        if fails == "hang":
            gate.wait(30)

    return stop
"""


@pytest.fixture(autouse=True)
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An installed exporter, and what it was told."""
    (tmp_path / "acme_statsd.py").write_text(MODULE)
    install(tmp_path, "acme-statsd", {"tiered_cache.exporters": {"statsd": "acme_statsd:start"}})
    monkeypatch.syspath_prepend(tmp_path)
    import acme_statsd  # type: ignore[import-not-found] # pyright: ignore[reportMissingImports] # written above

    yield acme_statsd.told
    del sys.modules["acme_statsd"]


@pytest.mark.parametrize(
    ("text", "port"),
    [('exporters = ["statsd"]', 8125), ("[exporters.statsd]\nport = 99", 99)],
)
def test_an_exporter_runs_from_the_opening_of_a_cache_to_its_end(
    text: str, port: int, told: list[Any]
) -> None:
    Path("tiered-cache.toml").write_text(f'tiers = ["memory"]\nnamespace = "ours"\n{text}\n')
    with TieredCache.from_settings() as cache:
        assert told == [("start", "ours", port)]
        cache.set("key", 1)
    assert told[1:] == [("write", "key"), ("stop", "ours", port)]
    cache.close()
    assert len(told) == 3


@pytest.mark.parametrize(
    "variables",
    [
        {"EXPORTERS": "statsd"},
        {"EXPORTERS": '["statsd"]'},
        {"EXPORTERS": '{"statsd": {}}'},
        {"EXPORTERS__STATSD__PORT": "8125"},
        {"EXPORTERS": "statsd", "EXPORTERS__STATSD__PORT": "8125"},
    ],
)
def test_variables_say_the_same(
    variables: dict[str, str], told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"TIERED_CACHE_{name}", value)
    TieredCache.from_settings().close()
    assert [(each[0], each[2]) for each in told] == [("start", 8125), ("stop", 8125)]


def test_each_cache_of_a_manager_and_the_default_cache_have_exporters(told: list[Any]) -> None:
    with CacheManager("memory", exporters=["statsd"], namespace="ours") as manager:
        manager.get_cache("a")
        manager.get_cache("b")
    configure(tiers=["memory"], exporters=["statsd"])
    assert tiered.exists("key") is False
    configure(tiers=["memory"])
    names = ["ours.a", "ours.b", "ours.a", "ours.b", "default", "default"]
    assert sorted(each[1] for each in told) == sorted(names)


def test_a_command_starts_no_exporter(
    told: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIERED_CACHE_EXPORTERS", "statsd")
    assert main(["set", "key", "value"]) == 0
    assert told == []


@pytest.mark.parametrize(
    ("exporters", "message"),
    [
        (["statd"], "no exporter called 'statd'.*logs, opentelemetry, prometheus, statsd"),
        ({"statsd": {"prot": 1}}, r"the exporter statsd can't be made from prot .*port, fails"),
    ],
)
def test_a_mistake_names_the_exporter_and_what_it_takes(exporters: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_settings(exporters=exporters)
    assert "exporters.stat" in str(caught.value)


@pytest.mark.parametrize("fails", ["start", "stop"])
def test_law_1_an_exporter_that_fails_is_left_out(
    fails: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "tiered_cache")
    settings = load_settings(tiers=["memory"], exporters={"statsd": {"fails": fails}})
    with build_stack("default", settings) as cache:
        cache.set("key", 1)
        assert cache.get("key") == 1
    assert [each.getMessage() for each in caplog.records] == [
        f"The exporter 'statsd' failed to {fails}: OSError"
    ]


def test_law_8_an_exporter_that_hangs_or_has_no_end_does_not_keep_a_cache_open(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exporting, "_STOP_S", 0.01)
    for fails, line in (
        ("hang", "The exporter 'statsd' did not stop within 0.01 s"),
        ("end", "The exporter 'statsd' returned no function that ends it"),
    ):
        settings = load_settings(tiers=["memory"], exporters={"statsd": {"fails": fails}})
        build_stack("default", settings).close()
        assert line in [each.getMessage() for each in caplog.records]
    sys.modules["acme_statsd"].gate.set()


@pytest.mark.parametrize(
    ("file", "variables", "names"),
    [
        ('exporters = ["logs"]', {}, ["logs"]),
        ('exporters = ["logs"]', {"EXPORTERS": "statsd"}, ["statsd"]),
        ('exporters = ["logs"]', {"EXPORTERS": ""}, []),
        ('exporters = ["logs"]', {"EXPORTERS__STATSD__PORT": "1"}, ["logs", "statsd"]),
        ("[exporters.logs]", {"EXPORTERS__STATSD__PORT": "1"}, ["logs", "statsd"]),
        ("[exporters.logs]", {"EXPORTERS": "statsd"}, ["statsd"]),
        ("[exporters.logs]\n[stacks.default]\nexporters = ['statsd']", {}, ["statsd"]),
    ],
)
def test_a_list_replaces_what_is_weaker_and_a_table_is_added(
    file: str, variables: dict[str, str], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("tiered-cache.toml").write_text(file)
    for name, value in variables.items():
        monkeypatch.setenv(f"TIERED_CACHE_{name}", value)
    assert sorted(load_settings().stack().exporters) == names


def test_options_in_variables_have_their_types(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PROMETHEUS__PORT": "9137",
        "PROMETHEUS__ADDRESS": "::1",
        "OPENTELEMETRY__SPANS": "false",
        "LOGS__KINDS": "error, breaker",
    }.items():
        monkeypatch.setenv(f"TIERED_CACHE_EXPORTERS__{name}", value)
    assert load_settings().stack().exporters == {
        "prometheus": {"port": 9137, "address": "::1"},
        "opentelemetry": {"spans": False},
        "logs": {"kinds": "error, breaker"},
    }


@pytest.mark.parametrize(
    "text", ['{"statsd": {"token": "hunter2"}', "https://u:hunter2@h", '["hunter2", {}]']
)
def test_law_9_no_secret_in_a_wrong_variable_is_shown(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIERED_CACHE_EXPORTERS", text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_law_9_the_text_of_an_error_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    for fails in ("start", "stop"):
        settings = load_settings(tiers=["memory"], exporters={"statsd": {"fails": fails}})
        build_stack("default", settings).close()
    assert "OSError" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_wrong_value_of_a_built_in_exporter_is_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = load_settings(tiers=["memory"], exporters={"logs": {"kinds": ["mishap"]}})
    build_stack("default", settings).close()
    assert "kinds='mishap' is no kind of event: expected one of hit" in caplog.text


def test_the_logs_are_an_exporter_that_leaves_hits_inlined(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "tiered_cache.events")
    settings = load_settings(tiers=["memory"], exporters=["logs"])
    with build_stack("default", settings) as cache:
        assert cache._source.core().live is cache._source.core().stack.levels[0].live
        cache.set("key", 1)
    assert caplog.records == []
    settings = load_settings(tiers=["memory"], exporters={"logs": {"kinds": ["write"]}})
    with build_stack("default", settings) as cache:
        cache.set("key", 1)
        assert cache.get("key") == 1
    assert [vars(each)["cache_event"] for each in caplog.records] == ["write"]


def test_prometheus_exports_each_cache_under_its_name_while_it_is_open() -> None:
    def scraped() -> str:
        return generate_latest(REGISTRY).decode()

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = load_settings(tiers=["memory"], exporters=["prometheus"])
    with build_stack("default", settings) as cache, build_stack("default", settings):
        assert cache.get("key") is None
        for name, misses in (("default", "1.0"), ("default-2", "0.0")):
            labels = f'cache="{name}",outcome="miss"'
            assert f"tiered_cache_lookups_total{{{labels}}} {misses}" in scraped()
        served = load_settings(tiers=["memory"], exporters={"prometheus": {"port": port}})
        with (
            build_stack("default", served),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer,
        ):
            assert b'cache="default-3"' in answer.read()
            with build_stack("default", served):  # another cache at the same port
                assert 'cache="default-4"' in scraped()
            assert in_forked_child(lambda: bool(cache.close() or True)), "without the thread"
        assert 'cache="default-3"' not in scraped()
    assert "tiered_cache" not in scraped()


def test_opentelemetry_exports_each_cache_while_it_is_open() -> None:
    # The global provider of a process can be set once only, so this test looks at what it is given.
    from tiered_cache.integrations import opentelemetry

    settings = load_settings(tiers=["memory"], exporters={"opentelemetry": {"spans": True}})
    with build_stack("default", settings) as cache:
        assert list(opentelemetry._exported.sources) == ["default"]
        assert cache.get_or_compute("key", lambda: 1) == 1
    assert opentelemetry._exported.sources == {}
