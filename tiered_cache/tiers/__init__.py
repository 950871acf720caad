"""The tiers, one package each: memory, disk and Redis; `null` holds nothing.

Users and `config` import them. They know the contracts, and neither each other nor the engine.
"""
