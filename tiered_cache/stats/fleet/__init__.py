"""The statistics of all processes that share a tier, published on its board.

The faces publish and read; every layer above them may read.
"""
