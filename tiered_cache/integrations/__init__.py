"""Connections of a cache to monitoring systems. Programs import these modules; no module here does.

`prometheus` and `opentelemetry` each need an extra of their own.
"""
