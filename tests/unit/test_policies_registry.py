"""Policies by name: built-in ones, those of installed packages, and unknown names."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, get_args

import pytest

from tiered_cache import policies
from tiered_cache_policies.policy_registry import (
    PolicyKind,
    PolicyLookupError,
    find_policy,
    policy_names,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Installs a package `acme` with these entry points and this module `acme_policies`."""

    def install(entry_points: str, module: str) -> None:
        info = tmp_path / "acme-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[tiered_cache.policies]\n{entry_points}\n")
        (tmp_path / "acme_policies.py").write_text(module)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "acme_policies", raising=False)

    return install


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "eviction",
            {
                "adaptive": policies.Adaptive,
                "arc": policies.ARC,
                "gdsf": policies.GDSF,
                "s3fifo": policies.S3FIFO,
                "sieve": policies.Sieve,
                "tinylfu": policies.TinyLFU,
                "lru": policies.LRU,
                "lfu": policies.LFU,
                "fifo": policies.FIFO,
                "ttl": policies.TTL,
            },
        ),
        ("promotion", {"always": policies.Always, "never": policies.Never}),
        (
            "writing",
            {"write_through": policies.WriteThrough, "write_around": policies.WriteAround},
        ),
    ],
)
def test_our_policies_have_names(kind: PolicyKind, names: dict[str, Any]) -> None:
    assert {name: find_policy(kind, name) for name in names} == names


@pytest.mark.parametrize("name", ["write_through", "WRITE_THROUGH", " Write-Through "])
def test_case_dashes_and_blanks_do_not_matter(name: str) -> None:
    assert find_policy("writing", name) is policies.WriteThrough


@pytest.mark.parametrize(
    "name", ["", "sieve2", "si", "write_through", "sieve\x00", "__init__", ".."]
)
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(PolicyLookupError) as caught:
        find_policy("eviction", name)
    message = str(caught.value.args[0])
    assert repr(name) in message
    assert "eviction" in message
    assert all(known in message for known in policy_names("eviction"))


def test_every_name_that_is_listed_can_be_found() -> None:
    kinds: tuple[PolicyKind, ...] = get_args(PolicyKind)
    assert len(kinds) == 7
    for kind in kinds:
        names = policy_names(kind)
        assert names == tuple(sorted(names))
        assert all(callable(find_policy(kind, name)) for name in names)


def test_an_installed_package_adds_policies(installed: Callable[[str, str], None]) -> None:
    installed(
        "eviction.acme = acme_policies:Acme\nwriting.acme-too = acme_policies:Too",
        "class Acme: pass\nclass Too: pass\n",
    )
    assert find_policy("eviction", "acme").__name__ == "Acme"
    assert find_policy("eviction", "ACME") is find_policy("eviction", "acme")
    assert find_policy("writing", "acme_too").__name__ == "Too"
    assert "acme" in policy_names("eviction")
    with pytest.raises(PolicyLookupError, match="acme_too"):
        find_policy("writing", "acme")


def test_an_installed_package_does_not_change_our_names(
    installed: Callable[[str, str], None],
) -> None:
    installed("eviction.lru = acme_policies:Acme", "class Acme: pass\n")
    assert find_policy("eviction", "lru") is policies.LRU


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("raise RuntimeError('acme is broken')", "acme is broken"),
        ("import no_such_module_of_acme", "no_such_module_of_acme"),
        ("", "Acme"),
    ],
)
def test_a_package_that_is_broken_is_named(
    installed: Callable[[str, str], None], module: str, says: str
) -> None:
    installed("eviction.acme = acme_policies:Acme", module)
    with pytest.raises(PolicyLookupError) as caught:
        find_policy("eviction", "acme")
    message = str(caught.value.args[0])
    assert says in message
    assert "acme_policies:Acme" in message
    assert caught.value.__cause__ is not None


def test_looking_one_up_imports_no_other_and_nothing_of_the_framework() -> None:
    program = (
        "import sys; from tiered_cache_policies.policy_registry import find_policy;"
        "find_policy('promotion', 'always');"
        "print(*[m for m in sys.modules if m.split('.')[0] in ('tiered_cache', 'cachetools')"
        " or m == 'importlib.metadata'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=os.environ
    )
    assert done.stdout.strip() == ""


def test_the_public_names_exist_and_are_sorted() -> None:
    assert all(hasattr(policies, name) for name in policies.__all__)
    assert policies.__all__ == sorted(policies.__all__, key=lambda n: (not n.isupper(), n))
