"""Whether a value may enter a tier. One rule a file; rules combine with `&`, `|` and `~`."""
