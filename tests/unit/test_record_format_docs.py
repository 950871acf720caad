"""The tables of the documentation equal those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tiered_cache.codec.envelope import HEADER_BYTES
from tiered_cache.codec.extension_types import EXTENSIONS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "record-format.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.mark.proves("records/extension-codes")
def test_every_extension_is_documented_under_its_code() -> None:
    documented = {
        int(code): kind for code, kind in re.findall(r"^\| (\d+) \| `(\w+)` \|", TEXT, re.MULTILINE)
    }
    assert documented == {each.code: each.kind.__name__ for each in EXTENSIONS}


@pytest.mark.proves("records/fields")
def test_the_fields_leave_no_gap() -> None:
    fields = [
        (int(offset), int(size))
        for offset, size in re.findall(r"^\| (\d+) \| (\d+) \| [a-z]", TEXT, re.MULTILINE)
    ]
    at = 0
    for offset, size in fields:
        assert offset == at
        at += size
    assert at == HEADER_BYTES
