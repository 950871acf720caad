"""Every Python block of the README and the documentation runs, from top to bottom of its page.

Each page runs twice in the same home, working directory and Redis server: a reader that repeats a
page finds the results of the first run on disk. A TOML block that begins with the name of a file is
that file for the Python blocks below it.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from tests.patience import PATIENCE
from tiered_cache import RedisTier, _default
from tiered_cache.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sybil.example import Example

_ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(?:python|toml)$", re.MULTILINE)
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SCRIPTS = ["README.md", "docs/tutorial/five-minutes.md"]


def _pages() -> list[str]:
    docs = (_ROOT / "docs").rglob("*.md")
    found = [page for page in sorted(docs) if "_build" not in page.parts]
    pages = [_ROOT / "README.md", _ROOT / "policies" / "README.md", *found]
    return [str(page.relative_to(_ROOT)) for page in pages if _PYTHON.search(page.read_text())]


def _write_file(example: Example) -> None:
    first, _, _ = example.parsed.partition("\n")
    if first.startswith("# ") and first.endswith(".toml"):
        Path(first.removeprefix("# ")).write_text(example.parsed)


@pytest.fixture
def program() -> Iterator[types.ModuleType]:
    """A module for the blocks of a page, so that functions and classes in it have a home."""
    module = types.ModuleType("an_example")
    # Another test may have closed the default stack, and a page may use it, with its own settings.
    _default.tiered.rebuild(_default._from_settings)
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]
    _default.tiered.rebuild(_default._from_settings)


def _run(page: Path, program: types.ModuleType) -> None:
    """Evaluate the blocks of `page` in an empty `program`."""
    _default.tiered.rebuild(_default._from_settings)
    vars(program).clear()
    vars(program)["__name__"] = "an_example"
    document = Sybil([PythonCodeBlockParser(), CodeBlockParser("toml", _write_file)]).parse(page)
    document.namespace = vars(program)
    examples = list(document.examples())
    assert len(examples) == len(_BLOCK.findall(page.read_text()))
    for example in examples:
        example.evaluate()


@pytest.mark.parametrize("page", _pages())
def test_every_example_runs(
    page: str,
    program: types.ModuleType,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = _ROOT / page
    if "REDIS_URL" in path.read_text():
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis_url"))
        # The pages show the defaults. A busy machine may reach their deadlines.
        defaults: Any = RedisTier.__init__.__kwdefaults__
        for name, patient in PATIENCE.items():
            monkeypatch.setitem(defaults, name, patient)
    _run(path, program)
    _run(path, program)


@pytest.mark.parametrize("page", _SCRIPTS)
def test_the_first_pages_run_as_a_script_twice(page: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("\n".join(_PYTHON.findall((_ROOT / page).read_text())))
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-W", "error", str(script)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")


def test_the_simulation_replays_the_file_that_its_page_makes(
    program: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    page = _ROOT / "docs" / "how-to" / "simulate.md"
    commands = re.findall(r"^\$ tiered-cache (.*)$", page.read_text(), re.MULTILINE)
    assert commands
    _run(page, program)
    for command in commands:
        assert main(shlex.split(command)) == 0
        assert "s3fifo" in capsys.readouterr().out
