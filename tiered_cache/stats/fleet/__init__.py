"""The statistics of all processes that share a tier."""
