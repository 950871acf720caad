"""Output for terminals and programs: messages, JSON, tables, progress and short figures.

The command line and the demo import it; it imports the standard library and, where installed, `rich`.
"""
