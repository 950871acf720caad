"""One module a command: `add_parser` declares its arguments, `run` runs it.

Only `tiered_cache.cli.main` imports them. Commands share code through `tiered_cache.cli`, not through
each other.
"""
