"""Miss-ratio curves of the tiers, from a sample of the keys. Counters show them the sampled lookups.

`stats.counting` and `_face` import it.
"""
