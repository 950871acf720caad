"""What a hit does for the freshness of its value. One rule a file."""
