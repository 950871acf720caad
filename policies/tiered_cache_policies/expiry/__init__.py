"""How long a value is fresh. One rule a file; several are asked one after the other."""
