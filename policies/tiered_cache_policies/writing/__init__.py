"""Write policies: which tiers a write goes to, in which order, now or later."""
