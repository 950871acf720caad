"""Admission policies: whether a value may enter a tier. They combine with `&`, `|` and `~`."""
