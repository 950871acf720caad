"""Safety across `os.fork()`, and exit hooks.

It imports the standard library only. Every package of `tiered_cache` may import it.
"""
