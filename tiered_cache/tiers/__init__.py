"""The tiers: memory, disk, Redis, and one that holds nothing."""
