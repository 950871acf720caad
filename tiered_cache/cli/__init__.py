"""The command line: `tiered-cache`, or `python -m tiered_cache`. Nothing else imports it.

To add a command, write one module in `commands/` and add its name to `main.COMMANDS`. The module has
`add_parser(commands)`, for its arguments and help, and `run(arguments)`, which returns the exit code.
It imports the libraries inside `run`, because `--help` imports every command.
"""

from __future__ import annotations

from tiered_cache.cli.main import main

__all__ = ["main"]
