"""The inside of both faces, synchronous and asynchronous: a core, its arguments and its answers.

Imported by `cache`, `aio`, `manager` and `decorators`. It knows no concrete tier.
"""
