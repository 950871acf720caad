"""The conformance suites fail broken tiers and policies, and pass sound ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "how-to" / "write-a-tier.md"


def _overriding(method: str) -> tuple[str, str]:
    """The replacement that adds a broken method for many keys to a tier."""
    return "    def info(self):", f"    def {method}\n\n    def info(self):"


_BROKEN_TIERS = {
    "IgnoresTokens": ("if put.expected is not ANY and", "if False and"),
    "ForgetsDeletions": ("self._deletions += 1", "pass"),
    "ReusesTokens": ("next(self._numbers)", "0"),
    "NeverExpires": ("if gone > self._now():", "if gone > -math.inf:"),
    "LengthensLifetimes": ("return Found(record, gone - self._now(), token)", "return Found(record, 1e9, token)"),
    "ScansByGlob": ("key.startswith(prefix)", "__import__('fnmatch').fnmatch(key, prefix + '*')"),
    "ListsWhatIsExpired": ("if isinstance(self._get(key), Found)]", "]"),
    "ForgetsPrefixes": _overriding("clear(self, prefix=''): return self.delete_many(list(self.scan()))"),
    "FoldsCase": ("self._held[key] = (put.item", "self._held[key.lower()] = (put.item"),
    "StripsKeys": ("self._held.get(key,", "self._held.get(key.strip() or key,"),
    "DeletesWhatWasNotThere": ("return was_there", "return True"),
    "LeavesKeysOut": _overriding("get_many(self, keys): return {k: f for k in keys if isinstance(f := self.get(k), Found)}"),
    "StoresNothingOfMany": _overriding("put_many(self, puts): return set()"),
    "ForgetsTokensOfMany": _overriding("put_many(self, puts): return {k for k, p in puts.items() if self.put(k, p._replace(expected=ANY))}"),
    "ChangesBytes": ("self._held[key] = (put.item,", "self._held[key] = (put.item.rstrip(b'\\x00'),"),
    "CountsWhatIsGone": ("entries=len(self._held)", "entries=next(self._numbers)"),
    "ClosesOnce": _overriding("close(self): del self._held"),
    "ClearsWithoutFence": _overriding("clear(self, prefix=''): return self.delete_many(list(self.scan(prefix)))"),
    "FencesTooLate": _overriding("clear(self, prefix=''): k = [k for k in self.scan(prefix) if self._held.pop(k)]; sleep(0.01); self.fence(''); return len(k)"),
    "ForgetsInASecond": (
        'Absent(("absent", self._deletions))',
        'Absent(("absent", self._deletions if self._now() < getattr(self, "_at", -9e9) + 1 else 0))',
        "self._deletions += 1",
        "self._deletions += 1; self._at = self._now()",
    ),
    "SharesNamespaces": ("self._held = {}  #", "self._held = SHARED  #"),
}  # fmt: skip

_BROKEN_POLICIES = {
    "EvictsBehindPopitem": "def __setitem__(self, key, value):\n"
    "        while len(self) >= self.maxsize and key not in self: del self[next(iter(self))]\n"
    "        super().__setitem__(key, value)",
    "EvictsWhatIsInserted": "def popitem(self):\n"
    "        key = list(self)[-1]\n"
    "        return key, self.pop(key)",
    "ForgetsToClear": "def clear(self): pass",
    "GrowsWithoutEnd": "def __init__(self, maxsize, getsizeof=None): super().__init__(1e9, getsizeof)",
    "KeepsAGhostOfEachKey": "def __delitem__(self, key):\n"
    "        super().__delitem__(key)\n"
    "        self.__dict__.setdefault('ghosts', set()).add(key)",
    "SearchesAtEachHit": "def __getitem__(self, key):\n"
    "        seen = self.__dict__.setdefault('seen', [0])\n"
    "        seen[0] += 1\n"
    "        for _ in range(seen[0]): pass\n"
    "        return super().__getitem__(key)",
    "IsACopyOfItself": "def __copy__(self): return self",
}

_HEAD = """
from time import sleep
from cachetools import LRUCache
from tiered_cache.testing import CachetoolsContract, FenceContract, TierContract
SHARED = {}
"""
_TIER_TEST = """
class Test{name}(TierContract, FenceContract):
    def make_tier(self, store):
        return {name}()
"""
_POLICY = """
class {name}(LRUCache):
    {method}

class Test{name}(CachetoolsContract):
    policy_class = {name}
"""


def _documented_code() -> str:
    found = re.search(r"```python\n(.*?)```", _PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def _tier(name: str, *changes: str) -> str:
    code = _documented_code()
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert old in code, f"the page has changed: {old!r} is gone"
        code = code.replace(old, new)
    return code.replace("class DictTier", f"class {name}")


@pytest.mark.slow
def test_a_suite_fails_for_each_that_is_broken(tmp_path: Path) -> None:
    parts = [_HEAD, _tier("Sound"), _TIER_TEST.format(name="Sound")]
    for name, changes in _BROKEN_TIERS.items():
        parts += [_tier(name, *changes), _TIER_TEST.format(name=name)]
    parts += [_POLICY.format(name=name, method=it) for name, it in _BROKEN_POLICIES.items()]
    parts.append(_POLICY.format(name="SoundPolicy", method="pass"))
    module = tmp_path / "test_broken.py"
    module.write_text("\n".join(parts))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rf", "--tb=no", "-k", "not fork", "-p",
         "no:cacheprovider", "--rootdir", str(tmp_path), str(module)],
        capture_output=True, text=True, env=os.environ, cwd=tmp_path, timeout=100,
    )  # fmt: skip
    failed = set(re.findall(r"^FAILED .*::Test(\w+)::", done.stdout, re.MULTILINE))
    assert failed == {*_BROKEN_TIERS, *_BROKEN_POLICIES}, done.stdout[-3000:]


_SICK = """
import pytest
from tiered_cache import RedisTier
from tiered_cache.contracts import WrappedTier
from tiered_cache.errors import TierUnavailableError
from tiered_cache.testing import SickStoreContract

class Sound(WrappedTier):
    pass

class RaisesOSError(WrappedTier):
    def get(self, key):
        try:
            return self.inner.get(key)
        except TierUnavailableError as error:
            raise OSError(str(error)) from error

class Waits(WrappedTier):
    def get(self, key):
        while True:
            try:
                return self.inner.get(key)
            except TierUnavailableError:
                import time
                self.until = getattr(self, "until", None) or time.monotonic() + 4
                if time.monotonic() > self.until:
                    raise

class Mixed(WrappedTier):
    last = None

    def get(self, key):
        try:
            self.last = self.inner.get(key)
        except TierUnavailableError:
            pass
        return self.last or self.inner.get(key)

class Base(SickStoreContract):
    deadline_s = 1.0

    @pytest.fixture
    def server(self):
        return {url!r}
"""
_SICK_TEST = """
class Test{name}(Base):
    def make_tier(self, address):
        return {name}(RedisTier(address, timeout="500ms", connect_timeout="500ms"))
"""


@pytest.mark.slow
def test_the_suite_of_sick_stores_fails_for_each_that_is_broken(
    tmp_path: Path, redis_url: str
) -> None:
    names = ["Sound", "RaisesOSError", "Waits", "Mixed"]
    module = tmp_path / "test_sick.py"
    parts = [_SICK.format(url=redis_url), *(_SICK_TEST.format(name=name) for name in names)]
    module.write_text("\n".join(parts))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rf", "--tb=no", "-p", "no:cacheprovider",
         "-k", "get and not many and (blackhole or refuse)",
         "--rootdir", str(tmp_path), str(module)],
        capture_output=True, text=True, env=os.environ, cwd=tmp_path, timeout=100,
    )  # fmt: skip
    failed = set(re.findall(r"^FAILED .*::Test(\w+)::", done.stdout, re.MULTILINE))
    assert failed == {*names} - {"Sound"}, done.stdout[-3000:]


def test_a_clock_needs_no_pytest() -> None:
    program = (
        "import sys; from tiered_cache.testing import FakeClock, make_context, race, wait_until;"
        "sys.exit('pytest' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
