"""Snapshots: the frozen numbers of a cache, their arithmetic, and their text, HTML and plots.

Every other package of statistics, and every layer above the engine, may import it.
"""
