"""The inside of both faces, synchronous and asynchronous: a core, its arguments and its answers.

Only `cache`, `aio` and `decorators` import it. It knows no concrete tier.
"""
