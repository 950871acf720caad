"""Promotion policies: whether a hit in a lower tier is copied upwards."""
