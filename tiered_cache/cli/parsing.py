"""The command line's grammar, and its help.

Only what parsing needs is imported here: `--help` must not wait for the libraries.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tiered_cache.cli.exits import EXIT_CODES

if TYPE_CHECKING:
    from collections.abc import Sequence

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no public name

__all__ = ["make_parser", "port_number"]

_DESCRIPTION = """\
A multi-tier read-through cache: memory, disk and Redis.

The commands below work on the stack that the settings describe: variables
TIERED_CACHE_*, tiered-cache.toml, [tool.tiered-cache] in pyproject.toml.
"""
_EXAMPLES = """\
examples:
  tiered-cache demo                        analyse a source tree through all tiers
  tiered-cache config show                 the settings, and where each comes from
  tiered-cache dashboard                   see it live in a browser
  tiered-cache set greeting hello --ttl 1h
  tiered-cache get greeting
  tiered-cache explain greeting            what each tier says of the key
  tiered-cache keys user: --stack ci --json
  tiered-cache invalidate --tag repo:x     serve nothing that has this tag
  tiered-cache doctor                      whether everything works, and what to do
"""
_OWN_MEMORY = """\
The memory tier belongs to this process and ends with it: a value outlives the
command in the tiers below only.
"""

_MAX_PORT = 65535


class _ShowVersion(argparse.Action):
    """Prints the version, which is looked up only where somebody asks for it."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002 - argparse's name
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"tiered-cache {version('tiered-cache')}")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    codes = "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())
    parser = argparse.ArgumentParser(
        prog="tiered-cache",
        description=_DESCRIPTION,
        epilog=f"{_EXAMPLES}\nexit codes:\n{codes}\n\nTIERED_CACHE_DEBUG=1 shows tracebacks.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_ShowVersion, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_config(commands)
    _add_stats(commands)
    _add_dashboard(commands)
    _add_get(commands)
    _add_set(commands)
    _add_delete(commands)
    _add_keys(commands)
    _add_explain(commands)
    _add_invalidate(commands)
    _add_clear(commands)
    _add_journal(commands)
    _add_doctor(commands)
    _add_simulate(commands)
    _command(commands, "version", "the version of tiered-cache, Python and the libraries", "about")
    return parser


def _command(
    commands: Commands,
    name: str,
    summary: str,
    module: str,
    description: str = "",
    examples: str = "",
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=summary,
        description=description or summary[0].upper() + summary[1:] + ".",
        epilog=f"examples:\n{examples}" if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(module=f"tiered_cache.cli.{module}", command=name)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser


def _add_stack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stack", default="default", metavar="NAME", help="the stack's name in the settings"
    )
    _add_config_file(parser)


def _add_config_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", help="a TOML file instead of tiered-cache.toml")


def _add_demo(commands: Commands) -> None:
    from tiered_cache.demo import add_arguments

    parser = commands.add_parser(
        "demo",
        help="analyse a real source tree through the tiers",
        description="Run four analyses of every file of a real source tree: cold, warm in the same\n"
        "process, after a restart, and on a second machine that shares a Valkey server,\n"
        "which the demo starts. Shows what each tier saved, and that all answers agree.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(module="tiered_cache.demo", command="demo")
    add_arguments(parser)


def _add_config(commands: Commands) -> None:
    parser = _command(
        commands,
        "config",
        "show or check the settings, or print their JSON Schema",
        "settings",
        "Show every setting of a stack and where it comes from (show), check all of them\n"
        "(check: prints every mistake at once, exit code 3), or print the JSON Schema of\n"
        "tiered-cache.toml for an editor (schema). Passwords and keys are never shown.",
        "  tiered-cache config show --stack ci\n"
        "  tiered-cache config check --config new.toml && mv new.toml tiered-cache.toml\n"
        "  tiered-cache config schema > tiered-cache.schema.json",
    )
    parser.add_argument("action", choices=["show", "check", "schema"])
    _add_stack(parser)


def _add_stats(commands: Commands) -> None:
    parser = _command(
        commands,
        "stats",
        "what all processes did, what it saved, and how full each tier is",
        "stats",
        "What the processes did together that use the stack, running and ended, in every tier:\n"
        "of all hosts with a Redis tier, else of this one. It is counted by each process for itself\n"
        "and published every 2 seconds. Then, what could be changed. Exit code 4 if a tier is away.",
        "  tiered-cache stats\n"
        "  tiered-cache stats --since 15m\n"
        "  tiered-cache stats --watch\n"
        "  tiered-cache stats --json | jq '.tiers[].hit_rate'",
    )
    parser.add_argument(
        "--since", metavar="DURATION", help="only what happened since then, such as 15m or 1d"
    )
    parser.add_argument(
        "--watch",
        nargs="?",
        type=_pause_s,
        const=2.0,
        metavar="SECONDS",
        help="again and again, every 2 seconds, until Ctrl-C; with --json a document a line",
    )
    _add_stack(parser)


def _pause_s(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 3600:
        raise ValueError
    return seconds


def _add_dashboard(commands: Commands) -> None:
    parser = commands.add_parser(
        "dashboard",
        help="a web page that shows what the cache does, live",
        description="Serve a web page that shows what every process that shares the stack's disk or server\n"
        "does with it: where lookups are answered, hit rates and latencies over time, seconds\n"
        "saved, what another size would give, breakers, entries, processes. Until Ctrl-C.\n\n"
        "Anybody who can reach it sees it. So it listens on this machine only; elsewhere it needs\n"
        "a token. It only reads, and shows no values, unless it is told otherwise.",
        epilog="examples:\n"
        "  tiered-cache dashboard --stack ci\n"
        "  TIERED_CACHE_DASHBOARD_TOKEN=$(openssl rand -hex 16) \\\n"
        "    tiered-cache dashboard --host 0.0.0.0 --allow-host cache.example.org",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(module="tiered_cache.cli.dashboard", command="dashboard")
    _add_serving(parser)
    _add_stack(parser)


def _add_serving(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", default="127.0.0.1", help="where it listens (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=port_number, default=8765, help="0: any that is free (default: %(default)s)"
    )
    parser.add_argument(
        "--token",
        help="what a browser must log in with, 16 characters or more; better by the variable\n"
        "TIERED_CACHE_DASHBOARD_TOKEN, which other users of the machine don't see",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which it may be reached; may be repeated",
    )
    parser.add_argument(
        "--allow-changes", action="store_true", help="entries can be deleted, tags invalidated"
    )
    parser.add_argument("--show-values", action="store_true", help="values can be seen")


def port_number(text: str) -> int:
    """A port as it is written on the command line.

    Raises:
        argparse.ArgumentTypeError: It is none.
    """
    if not text.isascii() or not text.isdigit() or int(text) > _MAX_PORT:
        msg = f"{text!r} is not a port: give a number from 0 to {_MAX_PORT}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _add_get(commands: Commands) -> None:
    parser = _command(
        commands,
        "get",
        "print a value; exit code 1 if there is none",
        "values",
        "Print the value of a key: a string as it is, other plain data as JSON, anything else\n"
        "as Python shows it. --json prints the whole lookup: status, value, tier, age,\n"
        "remaining lifetime (null: no limit), cost and tags. Exit code 1 if there is none.",
        "  tiered-cache get greeting\n"
        "  tiered-cache get greeting --json | jq .remaining_s\n"
        "  tiered-cache get -- -key-that-begins-with-a-dash",
    )
    parser.add_argument("key")
    _add_stack(parser)


def _add_set(commands: Commands) -> None:
    parser = _command(
        commands,
        "set",
        "store a value",
        "values",
        f"Store a value: the text itself, or with --json-value what it says.\n\n{_OWN_MEMORY}",
        "  tiered-cache set greeting hello --ttl 1h\n"
        "  tiered-cache set limits '{\"files\": [1, null]}' --json-value --tag repo:x",
    )
    parser.add_argument("key")
    parser.add_argument("value", help="a string; see --json-value")
    parser.add_argument("--ttl", help="its lifetime, such as 90, 10m or 1d; default: the stack's")
    parser.add_argument("--tag", action="append", default=[], help="may be repeated")
    parser.add_argument("--json-value", action="store_true", help="the value is JSON")
    _add_stack(parser)


def _add_delete(commands: Commands) -> None:
    parser = _command(
        commands,
        "delete",
        "remove keys from every tier; exit code 1 if none was there",
        "values",
        examples="  tiered-cache delete greeting limits",
    )
    parser.add_argument("key", nargs="+")
    _add_stack(parser)


def _add_keys(commands: Commands) -> None:
    parser = _command(
        commands,
        "keys",
        "list the keys that begin with a prefix",
        "values",
        "List the keys that begin with a prefix, or all, each on a line, with control characters\n"
        "escaped; --json gives them exactly. Walks through every tier.",
        "  tiered-cache keys user:\n  tiered-cache keys --json | jq length",
    )
    parser.add_argument("prefix", nargs="?", default="")
    _add_stack(parser)


def _add_explain(commands: Commands) -> None:
    parser = _command(
        commands,
        "explain",
        "what each tier says of a key; exit code 1 if none has it",
        "inspecting",
        "For each tier: whether it would answer a lookup of the key, its age, remaining lifetime\n"
        f"and size there, and why not. Moves and counts nothing.\n\n{_OWN_MEMORY}",
        "  tiered-cache explain greeting",
    )
    parser.add_argument("key")
    _add_stack(parser)


def _add_invalidate(commands: Commands) -> None:
    parser = _command(
        commands,
        "invalidate",
        "remove what has a tag, or keys that begin with a prefix or match a pattern",
        "removing",
        "Serve nothing any more that was stored under a tag, in any process or host that\n"
        "shares the stack's tiers, however many entries there are; remove the keys that\n"
        "begin with a prefix; or those that match a pattern (* any text, ? one character,\n"
        "[abc] one of these), which walks over the keys. Each may be repeated. On a\n"
        "terminal it shows how far it is.",
        "  tiered-cache invalidate --tag repo:x --tag branch:main\n"
        "  tiered-cache invalidate --prefix report:2025-\n"
        "  tiered-cache invalidate --pattern 'user:*:avatar' --stack ci",
    )
    for option, what in (
        ("--tag", "NAME"),
        ("--prefix", "TEXT"),
        ("--pattern", "PATTERN"),
    ):
        parser.add_argument(option, action="append", default=[], metavar=what)
    _add_stack(parser)


def _add_clear(commands: Commands) -> None:
    parser = _command(
        commands,
        "clear",
        "remove every key of the stack's namespace; asks first",
        "removing",
        "Remove every key of the stack's namespace, from every tier. Other namespaces and other\n"
        "users of the same server are not touched. Asks first, unless --yes is given; exit code 1\n"
        "if the answer is no, 2 if there is no terminal to ask on.",
        "  tiered-cache clear --stack ci --yes",
    )
    parser.add_argument("--yes", action="store_true", help="don't ask")
    _add_stack(parser)


def _add_journal(commands: Commands) -> None:
    parser = _command(
        commands,
        "journal",
        "list, retry or drop writes that are queued on disk",
        "journal",
        "The writes that write-back with the durability 'disk' has acknowledged and some tier does\n"
        "not have yet. list: all of them, of every process of this host. retry: try those once\n"
        "more that were given up (parked); exit code 4 if they fail again. drop: forget the parked\n"
        "ones for good; asks first. What dead processes left is written by any command.",
        "  tiered-cache journal list\n"
        "  tiered-cache journal retry\n"
        "  tiered-cache journal drop report:17 --yes",
    )
    parser.add_argument("action", choices=["list", "retry", "drop"])
    parser.add_argument("key", nargs="*", help="retry or drop only these; by default all")
    parser.add_argument("--yes", action="store_true", help="don't ask before dropping")
    _add_stack(parser)


def _add_doctor(commands: Commands) -> None:
    parser = _command(
        commands,
        "doctor",
        "whether the stacks work here, and what to change",
        "doctor",
        "See whether every stack of the settings works, by using it: each tier by\n"
        "itself (place, server, rights, lock, round trip, deletion, lease, log of\n"
        "changes), then one user of the stack changing what another one has. Says what\n"
        "is wrong and what to do. The keys of the probes are in a view of their own, and\n"
        "are removed. Exit code 0 if nothing is wrong, 3 if the settings are, 4 if a\n"
        "tier can't do what it must, 1 if anything else is.",
        "  tiered-cache doctor\n"
        "  tiered-cache doctor --stack ci\n"
        "  tiered-cache doctor --json | jq '.stacks[].checks[].advice'",
    )
    parser.add_argument("--stack", metavar="NAME", help="only this one; default: all of them")
    _add_config_file(parser)


def _add_simulate(commands: Commands) -> None:
    parser = _command(
        commands,
        "simulate",
        "what each eviction policy would keep of a trace",
        "simulating",
        "Replay a trace under eviction policies, at several sizes: a table of hit ratios (* is the\n"
        "best of a column), and of seconds saved where the trace has costs. Reads what\n"
        "tiered_cache.record_trace(path) wrote, .u64 (64-bit keys, little-endian), .u64u64 (pairs of\n"
        "key and bytes), .csv, and text with a key a line; each may end in .xz or .gz as well.",
        "  tiered-cache simulate requests.log --policy s3fifo --policy lru\n"
        "  tiered-cache simulate keys.csv --column url --sizes 1000,5%,20% --plot curves.svg\n"
        "  tiered-cache simulate trace.u64.xz --json | jq .policies.sieve",
    )
    parser.add_argument("trace", help="the file")
    parser.add_argument(
        "--policy",
        action="append",
        default=[],
        metavar="NAME",
        help="may be repeated; default: all",
    )
    parser.add_argument(
        "--sizes",
        default="0.1%,1%,5%,10%,20%",
        help="entries or bytes, or shares of all different keys (default: %(default)s)".replace(
            "%(default)s", "0.1%%,1%%,5%%,10%%,20%%"
        ),
    )
    parser.add_argument("--column", default="key", help="of a CSV file (default: key)")
    parser.add_argument("--plot", metavar="FILE", help="draw miss ratios into a .png or .svg file")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="processes (default: one a core, at most 4)"
    )
