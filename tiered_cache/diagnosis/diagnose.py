"""Looking at stacks of the settings, one part after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiered_cache.config import SettingsMistakesError, load_settings
from tiered_cache.config.build import make_codec, make_tier
from tiered_cache.contracts import Reach
from tiered_cache.diagnosis.disk_checks import look_at_disk
from tiered_cache.diagnosis.findings import Diagnosis, fine, left_out, wrong
from tiered_cache.diagnosis.notes import Notes
from tiered_cache.diagnosis.redis_checks import look_at_server
from tiered_cache.diagnosis.stack_probes import (
    hear_each_other,
    judge_journal,
    judge_keys,
    judge_settings,
)
from tiered_cache.diagnosis.tier_probes import Place, probe_tier
from tiered_cache.tiers.disk import DiskTier

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from tiered_cache.config import Settings
    from tiered_cache.config.schema import StackSettings
    from tiered_cache.contracts import Tier
    from tiered_cache.diagnosis.findings import Finding, Watcher

__all__ = ["diagnose"]


def diagnose(
    stack: str | None = None,
    *,
    settings: Settings | None = None,
    config_file: str | os.PathLike[str] | None = None,
    watcher: Watcher | None = None,
) -> list[Diagnosis]:
    """See whether the stacks of the settings work, by using them.

    Each tier is looked at by itself, then two users of the stack change what the other one has. The
    keys of these probes are in a view of their own and are removed; in the logs of shared tiers stay
    some lines, which no reader minds. What opening a cache makes (a directory, a database) is made.
    A database that the tier would put aside is left alone.

    Args:
        stack: Its name; by default all stacks that the settings have.
        settings: Settings that were loaded before; by default they are read.
        config_file: A TOML file to be read instead of the nearest `tiered-cache.toml`.
        watcher: Is told of each check as it begins and ends.

    Returns:
        One for each stack. Where the settings have mistakes, one that has these.

    Raises:
        ConfigurationError: There is no stack of this name.

    Takes a second or so, and some deadlines of the tiers where they don't answer. Thread-safe.
    """
    try:
        loaded = load_settings(config_file=config_file) if settings is None else settings
    except SettingsMistakesError as error:
        return [_of_mistakes(error, stack or "default", watcher)]
    names = loaded.stack_names if stack is None else (stack,)
    return [_of_stack(name, loaded, watcher) for name in names]


def _of_mistakes(error: SettingsMistakesError, stack: str, watcher: Watcher | None) -> Diagnosis:
    notes = Notes(watcher)
    if watcher is not None:
        watcher.stack(stack, "", ())
    for each in error.mistakes:
        text = f"{each.source}: found {each.found}; allowed: {each.allowed}"
        finding = wrong(text, each.fix)
        notes.look("settings", each.field, lambda finding=finding: finding)  # type: ignore[misc] # a default
    return Diagnosis(stack, "", (), tuple(notes.checks))


def _of_stack(name: str, settings: Settings, watcher: Watcher | None) -> Diagnosis:
    chosen = settings.stack(name)
    notes = Notes(watcher)
    if watcher is not None:
        watcher.stack(name, chosen.namespace, tuple(chosen.tier_names))
    tiers: list[Tier] = []

    def judge() -> Finding:
        tiers.extend(make_tier(kind, chosen) for kind in chosen.tier_names)
        return judge_settings(name, settings)

    if notes.look("settings", "settings", judge):
        for kind, tier in zip(chosen.tier_names, tiers, strict=True):
            _look_at_tier(kind, tier, chosen, notes)
        notes.look("signing", "keys", lambda: judge_keys(chosen, tiers))
        _look_at_whole(chosen, tiers, notes)
    return Diagnosis(
        name, chosen.namespace, tuple(each.name for each in tiers), tuple(notes.checks)
    )


def _look_at_tier(kind: str, tier: Tier, chosen: StackSettings, notes: Notes) -> None:
    if kind == "null":
        notes.look(tier.name, "null", lambda: fine("keeps nothing, on purpose"))
        return
    if isinstance(tier, DiskTier) and not look_at_disk(
        tier.name, tier.root, chosen.namespace, chosen.disk, notes
    ):
        return
    url = chosen.redis_address
    if (
        kind == "redis"
        and url
        and not look_at_server(tier.name, url, chosen.namespace, chosen.redis, notes)
    ):
        return
    codec = make_codec(chosen)
    place = Place(tier.name, chosen.namespace, codec, lambda: make_tier(kind, chosen))
    probe_tier(place, notes)


def _look_at_whole(chosen: StackSettings, tiers: list[Tier], notes: Notes) -> None:
    shared = [each.name for each in tiers if each.reach > Reach.PROCESS]
    # A stack that is opened puts a database aside that it can't read.
    unopened = [each.name for each in tiers if each.reach is Reach.HOST or len(tiers) == 1]
    if shared and not notes.has_problem(*unopened):
        notes.look("journal", "journal", lambda: judge_journal(chosen))
    notes.look("stack", "changes", lambda: _judge_changes(chosen, shared, notes))


def _judge_changes(chosen: StackSettings, shared: Sequence[str], notes: Notes) -> Finding:
    if not shared:
        return left_out("nobody else shares a tier of it")
    if notes.has_problem(*shared):
        return left_out("not tried, because of the problems above")
    return hear_each_other(chosen)
