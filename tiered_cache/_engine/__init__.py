"""The engine: the algorithm for N tiers, as plans without I/O, and the drivers that perform them.

From the bottom up: `state`, the vocabulary (`terms`, `effects`, `finding`, `level`, `stack`), `plans`,
`drivers`, `workers`; each imports only those before it. `_face` may import all of it; `cache` and
`aio` import the plans and `terms`.
"""
