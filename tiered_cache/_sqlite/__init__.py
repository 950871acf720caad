"""Opening, locking and repairing SQLite databases.

Tiers and the journal may import it. It imports `errors` and `_process`.
"""
