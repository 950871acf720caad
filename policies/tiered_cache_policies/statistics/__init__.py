"""How much is counted. One policy a file."""
