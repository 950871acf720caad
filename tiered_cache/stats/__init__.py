"""Statistics: what is counted while a cache works, and the snapshots that people read."""
