"""The keys of the demo's answers change with every input of an answer."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
from typing import TYPE_CHECKING

import pytest

from tiered_cache.demo import answer_keys
from tiered_cache.demo.analyses import ANALYSES, Analysis, Source, analyze
from tiered_cache.demo.answer_keys import answer_key

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Source(b"x = 1\n", is_package=False)
RADON, _, PYFLAKES, OWN = ANALYSES


@pytest.fixture(autouse=True)
def _forget_versions() -> Iterator[None]:
    _forget()
    yield
    _forget()


def _forget() -> None:
    for each in vars(answer_keys).values():
        if isinstance(each, functools._lru_cache_wrapper):
            each.cache_clear()


def test_each_analysis_content_and_role_has_a_key_of_its_own() -> None:
    sources = [SOURCE, SOURCE._replace(is_package=True), SOURCE._replace(content=b"x = 2\n")]
    keys = [answer_key(analysis, source) for analysis in ANALYSES for source in sources]
    assert len(set(keys)) == len(keys)
    assert keys == [answer_key(analysis, source) for analysis in ANALYSES for source in sources]


@pytest.mark.parametrize("analysis", ANALYSES, ids=[each.name for each in ANALYSES])
def test_another_python_gives_another_key(
    analysis: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = answer_key(analysis, SOURCE)
    _forget()
    monkeypatch.setattr(platform, "python_version", lambda: "3.99.0")
    assert answer_key(analysis, SOURCE) != before


def test_another_version_of_the_analyzer_gives_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [answer_key(analysis, SOURCE) for analysis in ANALYSES]
    _forget()
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "99" if name == "radon" else version(name)
    )
    after = [answer_key(analysis, SOURCE) for analysis in ANALYSES]
    changed = [new != old for new, old in zip(after, before, strict=True)]
    assert changed == [analysis.package == "radon" for analysis in ANALYSES]


def test_an_edit_of_our_own_code_gives_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = answer_key(OWN, SOURCE)
    _forget()
    monkeypatch.setattr(answer_keys, "_OWN_CODE", ("analyses.py", "source_tree.py"))
    assert answer_key(OWN, SOURCE) != before


def test_a_package_is_asked_less_of_its_exports() -> None:
    content = b"__all__ = ['nowhere']\n"
    module = analyze(PYFLAKES, Source(content, is_package=False))
    package = analyze(PYFLAKES, Source(content, is_package=True))
    assert [message[2] for message in module["messages"]] == ["UndefinedExport"]
    assert package == {"messages": []}
