"""Statistics for people and monitoring systems: HTML, plots, metrics, advice."""
