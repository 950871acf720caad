"""Policies for tiered caches: what to evict, promote and write where. Pure decisions, no I/O."""
