"""Miss-ratio curves from a sample of the keys."""
