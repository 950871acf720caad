"""Diagnoses stacks of the settings, part by part."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tiered_cache.config import SettingsMistakesError, load_settings
from tiered_cache.config.installed import installed
from tiered_cache.config.stack_factory import make_codec, make_tier
from tiered_cache.contracts import Reach
from tiered_cache.diagnosis.check_result import ok, problem, skipped
from tiered_cache.diagnosis.check_runner import CheckRunner
from tiered_cache.diagnosis.checked_tier import CheckedTier
from tiered_cache.diagnosis.disk_checks import check_disk
from tiered_cache.diagnosis.journal_check import check_journal
from tiered_cache.diagnosis.redis_checks import check_server
from tiered_cache.diagnosis.signing_check import check_signing
from tiered_cache.diagnosis.stack_checks import (
    check_extensions,
    check_settings,
    check_staleness,
)
from tiered_cache.diagnosis.tier_checks import check_tier
from tiered_cache.diagnosis.verdicts import Diagnosis
from tiered_cache.tiers.disk import DiskTier

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from tiered_cache.config import Settings
    from tiered_cache.config.schema import StackSettings
    from tiered_cache.contracts import Tier
    from tiered_cache.diagnosis.check_result import CheckResult
    from tiered_cache.diagnosis.verdicts import Watcher

__all__ = ["diagnose"]


def diagnose(
    stack: str | None = None,
    *,
    settings: Settings | None = None,
    config_file: str | os.PathLike[str] | None = None,
    watcher: Watcher | None = None,
) -> list[Diagnosis]:
    """Check whether the stacks of the settings work here, by using them.

    Each tier is checked alone; then one user of the stack changes a value of another one. Test
    values have a view of their own, and are removed. Some lines stay in the change logs of shared
    tiers, and readers skip them. Directories and databases are made, as by a cache. A database
    that the tier would quarantine is not touched.

    Args:
        stack: The name of a stack; by default, all stacks of the settings.
        settings: Loaded settings; by default, they are loaded.
        config_file: A TOML file that replaces the nearest `tiered-cache.toml`.
        watcher: Notified of each check as it begins and ends.

    Returns:
        A diagnosis for each stack. If the settings have mistakes, one diagnosis with a check for
        each mistake.

    Raises:
        ConfigurationError: There is no stack of this name.

    Takes about a second, and more up to the tiers' deadlines if a tier does not answer.
    Thread-safe.
    """
    try:
        loaded = load_settings(config_file=config_file) if settings is None else settings
    except SettingsMistakesError as error:
        return [_of_mistakes(error, stack or "default", watcher)]
    names = loaded.stack_names if stack is None else (stack,)
    return [_of_stack(name, loaded, watcher) for name in names]


def _of_mistakes(error: SettingsMistakesError, stack: str, watcher: Watcher | None) -> Diagnosis:
    runner = CheckRunner(watcher)
    if watcher is not None:
        watcher.stack(stack, "", ())
    for each in error.mistakes:
        finding = f"{each.source}: {each.problem}"
        runner.run("settings", each.field, partial(problem, finding, each.fix))
    return Diagnosis(stack, "", (), tuple(runner.checks))


def _of_stack(name: str, settings: Settings, watcher: Watcher | None) -> Diagnosis:
    chosen = settings.stack(name)
    runner = CheckRunner(watcher)
    if watcher is not None:
        watcher.stack(name, chosen.namespace, tuple(chosen.tier_names))
    tiers: list[Tier[Any]] = []

    def make_tiers() -> CheckResult:
        tiers.extend(make_tier(kind, chosen) for kind in chosen.tier_names)
        return check_settings(name, settings)

    works = runner.run("settings", "settings", make_tiers)
    found = installed()
    if found:
        runner.run("settings", "extensions", lambda: check_extensions(found))
    if works:
        for kind, tier in zip(chosen.tier_names, tiers, strict=True):
            _check_one(kind, tier, chosen, runner)
        runner.run("signing", "keys", lambda: check_signing(chosen, tiers))
        _check_together(name, chosen, tiers, runner)
    names = tuple(each.name for each in tiers)
    return Diagnosis(name, chosen.namespace, names, tuple(runner.checks))


def _check_one(kind: str, tier: Tier[Any], chosen: StackSettings, runner: CheckRunner) -> None:
    if kind == "null":
        runner.run(tier.name, "null", lambda: ok("holds no values, by design"))
        return
    if _may_open(kind, tier, chosen, runner):
        checked = CheckedTier(lambda: make_tier(kind, chosen), make_codec(chosen), chosen.namespace)
        check_tier(tier.name, checked, runner)


def _may_open(kind: str, tier: Tier[Any], chosen: StackSettings, runner: CheckRunner) -> bool:
    if isinstance(tier, DiskTier):
        return check_disk(tier.name, tier.root, chosen.namespace, chosen.disk, runner)
    url = chosen.redis_address
    if kind == "redis" and url:
        return check_server(tier.name, url, chosen.namespace, chosen.redis, runner)
    return True


def _check_together(
    name: str, chosen: StackSettings, tiers: list[Tier[Any]], runner: CheckRunner
) -> None:
    shared = [each.name for each in tiers if each.reach > Reach.PROCESS]
    # Opening the stack would quarantine a database that it can't read.
    must_work = [each.name for each in tiers if each.reach is Reach.HOST or len(tiers) == 1]
    if shared and not runner.has_problem(*must_work):
        runner.run("journal", "journal", lambda: check_journal(name, chosen))
    runner.run("stack", "changes", lambda: _check_changes(chosen, shared, runner))


def _check_changes(
    chosen: StackSettings, shared: Sequence[str], runner: CheckRunner
) -> CheckResult:
    if not shared:
        return skipped("no other process shares a tier of the stack")
    if runner.has_problem(*shared):
        return skipped("fix the problems above first")
    return check_staleness(chosen)
