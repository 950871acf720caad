"""The check of the keys that sign records."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tiered_cache.config.stack_factory import find_host_key
from tiered_cache.contracts import Reach
from tiered_cache.diagnosis.check_result import advise, ok, problem
from tiered_cache.diagnosis.nearest_path import nearest_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tiered_cache.config.schema import StackSettings
    from tiered_cache.contracts import Tier
    from tiered_cache.diagnosis.check_result import CheckResult

__all__ = ["check_signing"]


def check_signing(chosen: StackSettings, tiers: Sequence[Tier[Any]]) -> CheckResult:
    """Whether pickled values can be signed. Makes no key.

    Args:
        chosen: The settings of the stack.
        tiers: Its tiers; they need not be open.
    """
    if chosen.signing_key is not None:
        return ok("all records are signed with the signing key of the settings")
    for tier in tiers:
        if tier.holds_records and tier.reach is Reach.CLUSTER:
            return advise(
                f"without a signing key, values that need pickle are kept out of {tier.name}",
                "set TIERED_CACHE_SIGNING_KEY to the same secret of at least 16 bytes on every "
                "host, or cache only plain data and registered types",
            )
    if any(tier.holds_records for tier in tiers):
        return _check_host_key()
    return ok("no tier holds records")


def _check_host_key() -> CheckResult:
    path, exists = find_host_key()
    if exists:
        return ok(f"values that need pickle are signed with {path}")
    directory = nearest_path(path.parent)
    if not directory.is_dir() or not os.access(directory, os.W_OK | os.X_OK):
        return problem(
            f"the host key {path} can't be made: this user can't write to {directory}",
            f"make {directory} a writable directory, or set TIERED_CACHE_SIGNING_KEY",
        )
    return ok(f"the first value that needs pickle makes the key {path}")
