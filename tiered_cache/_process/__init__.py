"""Surviving fork and exit. Imports the standard library only; every package may import it."""
