"""What to let go when a tier is full. One algorithm a file."""
