"""Which tiers a write goes to, and in which order. One rule a file."""
