"""Links of the texts outside the documentation are valid; Sphinx checks the links inside it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_DOCS = _ROOT / "docs"
_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
_TARGET = re.compile(
    r"\]\(([^)]*)\)|^\[[^]]+\]:\s*(\S+)|\b(?:src|href)=[\"']([^\"']*)", re.MULTILINE
)
_FILE = re.compile(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|toml|md)|[\w.-]+(?:/[\w.-]+)*/)`")
_PLACEHOLDERS = {"NAME", "KIND"}
_PAGES = ["README.md", "SPEC.md", "CHANGELOG.md", "CONTRIBUTING.md", "policies/README.md"]


def _anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub and the documentation make them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def _site() -> str:
    """The address of the documentation, as PyPI shows it beside the README."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    return f"{project['urls']['Documentation']}/en/latest/"


def _targets(text: str) -> list[str]:
    """All targets of links and images, as Markdown or as HTML, without the fenced code."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return ["".join(found) for found in _TARGET.findall(prose)]


@pytest.mark.parametrize("page", _PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    path = _ROOT / page
    for target, anchor in _LINK.findall(path.read_text()):
        found = (path.parent / target) if target else path
        assert found.is_file(), target
        assert not anchor or anchor in _anchors(found.read_text()), f"{target}#{anchor}"


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/design/decisions.md"])
def test_every_file_that_is_named_exists(page: str) -> None:
    text = re.sub(r"^```.*?^```$", "", (_ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    bases = [_ROOT, _ROOT / "tiered_cache", _ROOT / "tiered_cache" / "_engine"]
    named = [name for name in _FILE.findall(text) if not _PLACEHOLDERS & set(Path(name).parts)]
    named = [name for name in named if Path(name).stem not in _PLACEHOLDERS]
    assert len(named) > 3
    assert [name for name in named if not any((base / name).exists() for base in bases)] == []


def test_the_readme_has_no_link_that_pypi_would_break() -> None:
    targets = _targets((_ROOT / "README.md").read_text())
    assert any(each.endswith(".png") for each in targets)
    # PyPI gives headings no anchors, so a fragment of the page itself leads nowhere either.
    assert [each for each in targets if not each.startswith("https://")] == []


def test_the_pages_and_pictures_that_the_readme_names_are_built() -> None:
    site = _site()
    pages = "".join(page.read_text() for page in _DOCS.rglob("*.md"))
    for target in _targets((_ROOT / "README.md").read_text()):
        if not target.startswith(site):
            continue
        name, _, anchor = target.removeprefix(site).partition("#")
        if name.startswith("_images/"):  # Sphinx copies there the pictures that some page shows
            picture = name.removeprefix("_images/")
            assert (_DOCS / "images" / picture).is_file(), target
            assert f"images/{picture})" in pages, target
        else:
            page = _DOCS / name.replace(".html", ".md")
            assert page.is_file(), target
            assert not anchor or anchor in _anchors(page.read_text()), target


def test_a_relative_link_or_picture_would_be_found() -> None:
    text = "[a](docs/a.md) ![b](b.png)\n[c]: c.md\n<img src='d.png'>\n```\n[e](e.md)\n```\n"
    assert _targets(text) == ["docs/a.md", "b.png", "c.md", "d.png"]
