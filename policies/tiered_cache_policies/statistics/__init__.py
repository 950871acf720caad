"""Statistics policies: how much is counted."""
