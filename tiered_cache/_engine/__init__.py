"""The engine: what to do, as plans without I/O, and the drivers that do it."""
