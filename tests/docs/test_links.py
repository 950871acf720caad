"""Links between the texts outside the documentation lead somewhere; Sphinx checks those inside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")


def _anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub and the documentation make them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", ["README.md", "SPEC.md", "CHANGELOG.md", "policies/README.md"])
def test_every_link_leads_somewhere(page: str) -> None:
    path = _ROOT / page
    for target, anchor in _LINK.findall(path.read_text()):
        found = (path.parent / target) if target else path
        assert found.is_file(), target
        assert not anchor or anchor in _anchors(found.read_text()), f"{target}#{anchor}"
