"""Counting while a cache works; exact under threads."""
