"""Format version 1 does not change: the code writes and reads the stored records."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from tiered_cache.entry import Entry

GOLDEN = Path(__file__).parent
GENERATOR: dict[str, Any] = runpy.run_path(str(GOLDEN / "generate.py"))
SAMPLES: dict[str, Any] = GENERATOR["SAMPLES"]


def described(value: Any) -> Any:
    """An object that is equal for two values only if their types are, too."""
    if isinstance(value, (list, tuple)):
        return type(value), [described(each) for each in value]
    if isinstance(value, dict):
        return type(value), [(described(key), described(item)) for key, item in value.items()]
    return type(value), repr(value), value


def test_every_sample_has_its_file_and_every_file_its_sample() -> None:
    assert {path.stem for path in GOLDEN.glob("*.bin")} == set(SAMPLES)


@pytest.mark.proves("records/golden")
@pytest.mark.parametrize("name", SAMPLES)
def test_records_are_written_as_they_ever_were(name: str) -> None:
    assert GENERATOR["record"](SAMPLES[name]) == (GOLDEN / f"{name}.bin").read_bytes()


@pytest.mark.proves("records/golden")
@pytest.mark.parametrize("name", SAMPLES)
def test_records_are_read_as_they_ever_were(name: str) -> None:
    sample = SAMPLES[name]
    stored = (GOLDEN / f"{name}.bin").read_bytes()
    entry = GENERATOR["codec"](signed=sample.signed).decode(sample.key, stored)
    for field in Entry.__slots__:
        if field not in ("value", "size_bytes"):
            assert getattr(entry, field) == getattr(sample.entry, field)
    assert described(entry.value) == described(sample.entry.value)
    assert entry.size_bytes == len(stored)
