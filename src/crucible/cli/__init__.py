"""`crucible …`: parse, call, print. No logic of its own.

Exit codes: 0 ok, 1 the run failed or a record could not be kept, 2 bad input, 130 interrupted.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends as quietly as later."""
    try:
        from crucible.cli.app import run_app

        run_app()
    except KeyboardInterrupt:
        sys.stderr.write("crucible: interrupted\n")
        sys.exit(130)
