"""Refresh policies: the consequence of a hit for the freshness of its value."""
