"""Connections of a cache to monitoring systems. Programs import these modules.

In this project only the dashboard does: it serves the metrics of `prometheus`. `prometheus` and
`opentelemetry` each need an extra of their own.
"""
