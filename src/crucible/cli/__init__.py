"""`crucible …`: parse, call, print. No logic of its own.

Exit codes: 0 ok, 1 the run failed or a record could not be kept, 2 bad input, 130 interrupted.
"""

from crucible.cli.app import app, main

__all__ = ["app", "main"]
