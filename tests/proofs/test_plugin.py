"""A full run fails if a row is unproven, in one process and under pytest-xdist."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROWS = """
[law-1]
title = "Law 1"
[law-1.rows]
one = "One."
two = "Two."
[law-1.suite]
two = ["test_two"]
"""
CONFTEST = """
from pathlib import Path
from tests.proofs.plugin import ProofPlugin

def pytest_configure(config):
    config.addinivalue_line("markers", "proves(*rows): proves rows")
    config.pluginmanager.register(ProofPlugin(config, Path(__file__).with_name("rows.toml")))
"""
ONE = '@pytest.mark.proves("law-1/one")\ndef test_one(): ...\n'
TWO = """
class Suite:
    def test_two(self): ...
Suite.test_two.__module__ = "tiered_cache.testing.tier_contract.one_of_ours"
class TestTwo(Suite): ...
"""
SKIPPED = ONE.replace("...", "pytest.skip('no time')")
NEEDY = """
@pytest.fixture(autouse=True)
def need(request):
    request.node.user_properties.append(("need", "needs_root"))
@pytest.mark.proves("law-1/one")
def test_needy(need): pytest.skip("needs root")
"""


Run = Callable[..., "tuple[int, str]"]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a test module in a project of its own; the exit code and the output."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeini("[pytest]\ntestpaths = inner\naddopts = --strict-markers")
    inner = pytester.mkdir("inner")
    (inner / "conftest.py").write_text(CONFTEST)
    (inner / "rows.toml").write_text(ROWS)

    def run_it(source: str, *options: str) -> tuple[int, str]:
        (inner / "test_inner.py").write_text(f"import pytest\n{source}")
        plain = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio")
        done = pytester.runpytest_subprocess(*plain, *options)
        return int(done.ret), done.stdout.str() + done.stderr.str()

    return run_it


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "xdist"])
def test_a_full_run_with_every_row_proven_passes(run: Run, options: tuple[str, ...]) -> None:
    code, shown = run(ONE + TWO, *options)
    assert code == 0
    assert "2 of 2 rows proven" in shown


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (SKIPPED + TWO, "law-1/one: inner/test_inner.py::test_one: Skipped: no time"),
        (ONE, "law-1/two: no proof passed"),
    ],
    ids=["a skip", "no test of a suite"],
)
def test_a_full_run_with_an_unproven_row_fails(run: Run, source: str, reason: str) -> None:
    code, shown = run(source, "-n", "2")
    assert code == 1
    assert reason in shown
    assert "1 of 2 rows proven" in shown


def test_a_missing_need_is_listed(run: Run) -> None:
    code, shown = run(NEEDY + TWO)
    assert code == 0
    assert "law-1/one: needs_root" in shown
    assert "1 of 2 rows proven" in shown


def test_a_run_of_some_tests_checks_no_row(run: Run) -> None:
    for options in (("-k", "one"), ("inner/test_inner.py",)):
        code, shown = run(ONE, *options)
        assert code == 0
        assert "rows proven" not in shown


def test_a_row_that_is_not_in_the_file_is_refused(run: Run) -> None:
    code, shown = run(ONE.replace("one", "three"))
    assert code != 0
    assert "no row 'law-1/three'" in shown
