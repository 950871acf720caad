"""Metrics for exporters and advice for people, both derived from snapshots.

Exporters, the dashboard and the command line import it.
"""
