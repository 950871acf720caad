"""Statistics: counters of a running cache, and the snapshots made from them.

Sub-packages, lowest first: `snapshot`, `curves`, `counting`, `fleet`, `output`. Each imports only
those before it. Faces, exporters and the command line may import all of them; the engine, none.
"""
