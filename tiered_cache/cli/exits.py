"""The exit codes of the command line."""

from __future__ import annotations

__all__ = [
    "CONFIGURATION",
    "EXIT_CODES",
    "FAILED",
    "INTERRUPTED",
    "NO",
    "OK",
    "UNAVAILABLE",
    "USAGE",
]

OK = 0
NO = 1
USAGE = 2
CONFIGURATION = 3
UNAVAILABLE = 4
FAILED = 5
INTERRUPTED = 130

EXIT_CODES = {
    OK: "done; for a question, yes",
    NO: "no: the key is not there, results differ, or something is wrong",
    USAGE: "the command line is wrong",
    CONFIGURATION: "the settings, a key or a duration are wrong",
    UNAVAILABLE: "a tier that is needed can't be reached",
    FAILED: "anything else that went wrong",
    INTERRUPTED: "interrupted with Ctrl-C",
}
"""The meaning of each code, for the help and the documentation."""
