"""Keys: any non-empty string is one, and a prefix is matched literally."""

# ruff: noqa: D102 - the name of a test is its description
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from tiered_cache.contracts import Absent, Put
from tiered_cache.testing.tier_contract.hooks import TierContractBase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.contracts import Tier

__all__ = ["KeyContract"]

_HOSTILE = {
    "space": " ",
    "spaces-around": "  key  ",
    "tab-and-newlines": "a\tb\nc\r\nd",
    "nul": "a\x00b",
    "only-nul": "\x00",
    "separator": "\x1fns\x1fkey",
    "glob": "user:*?[a-z]^\\",
    "sql": "%_' OR 1=1; --",
    "braces": "{tag}key{",
    "path": "../../etc/passwd",
    "latin": "é",
    "decomposed": "e\u0301",
    "astral": "\U0001f600\u200d\U0001f680",
    "bidirectional": "\u202ekey",
    "highest": "\U0010ffff",
    "number": "0",
    "60-kilobytes": "k" * 60_000,
}
_SCANNED = ("user:1", "user:2", "user*", "user*2", "user?", "user[12]", "user_", "user%", "User:1")
_PREFIXES = ("", "u", "user", "user:", "user*", "user?", "user[", "user_", "user%", "U", "\\", "x")


class KeyContract(TierContractBase):
    """The promises about unusual keys, and about `scan` and `clear` by prefix."""

    @pytest.mark.parametrize("key", _HOSTILE.values(), ids=_HOSTILE.keys())
    def test_any_string_is_a_key(self, tier: Tier[Any], key: str) -> None:
        self.put(tier, "other", b"other")
        token = tier.get(key).token
        assert self.put(tier, key, b"mine", expected=token) is True
        assert self.read(tier, key) == b"mine"
        assert self.payload(tier.get_many([key])[key]) == b"mine"
        self.check_scan(tier, [key], prefix=key)
        assert tier.delete(key) is not False
        assert isinstance(tier.get(key), Absent)
        assert tier.put_many({key: Put(self.make_item(tier, b"more"), math.inf)}) == {key}
        assert tier.clear(key) in (1, None)
        assert self.read(tier, "other") == b"other"

    def test_keys_that_look_alike_are_different(self, tier: Tier[Any]) -> None:
        alike = [
            "key", "Key", "KEY", "key ", " key", "key\n", "key\x00", "k\x00ey", "é", "e\u0301",
            "1", "01", "1.0", "True", "ns:key", "ns\x1fkey",
        ]  # fmt: skip
        for number, key in enumerate(alike):
            self.put(tier, key, b"%d" % number)
        found = {key: self.read(tier, key) for key in alike}
        assert found == {key: b"%d" % number for number, key in enumerate(alike)}
        self.check_scan(tier, sorted(alike))

    @pytest.mark.parametrize("prefix", _PREFIXES)
    def test_scan_takes_a_prefix_as_it_is(self, tier: Tier[Any], prefix: str) -> None:
        self._put_all(tier, _SCANNED)
        wanted = sorted(key for key in _SCANNED if key.startswith(prefix))
        self.check_scan(tier, wanted, prefix=prefix)

    @pytest.mark.parametrize("prefix", _PREFIXES)
    def test_clear_takes_a_prefix_as_it_is(self, tier: Tier[Any], prefix: str) -> None:
        self._put_all(tier, _SCANNED)
        kept = sorted(key for key in _SCANNED if not key.startswith(prefix))
        assert tier.clear(prefix) in (len(_SCANNED) - len(kept), None)
        self.check_scan(tier, kept)

    def test_scan_gives_each_of_many_keys_once(self, tier: Tier[Any]) -> None:
        keys = {f"key-{number:04}" for number in range(1200)}
        tier.put_many({key: Put(self.make_item(tier, b"x"), math.inf) for key in keys})
        self.check_scan(tier, keys, prefix="key-")

    def test_a_scan_bears_changes_meanwhile(self, tier: Tier[Any]) -> None:
        keys = [f"key-{number:04}" for number in range(1200)]
        tier.put_many({key: Put(self.make_item(tier, b"x"), math.inf) for key in keys})
        found = []
        for key in tier.scan():
            found.append(key)
            tier.delete(keys[len(found) // 2])
            self.put(tier, f"new-{len(found) % 50}")
        assert len(found) == len(set(found))

    def _put_all(self, tier: Tier[Any], keys: Sequence[str]) -> None:
        for key in keys:
            self.put(tier, key)
