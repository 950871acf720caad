"""Safety across `os.fork()`, exit hooks, and the user's directories.

It imports the standard library, and `platformdirs` when a default path is needed. Every package of
`tiered_cache` may import it.
"""
