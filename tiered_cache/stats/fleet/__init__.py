"""The statistics of all processes that share a tier, published on its board.

The faces import it to publish and read; every layer above them may import it to read.
"""
