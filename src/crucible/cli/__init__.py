"""`crucible …`: parse, call, print. No logic of its own.

Exit codes: 0 ok, 1 the run failed or a record could not be kept, 2 bad input, 130 interrupted.
"""

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C while it is still being imported ends as quietly as later."""
    try:
        if "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1":  # torchrun started it
            from crucible.cli.processes import run_in_processes as run
        elif sys.argv[1:2] == ["compare"]:  # to a verdict in a second: it needs none of what all commands import
            from crucible.cli.compare_app import run_compare as run
        else:
            from crucible.cli.app import run_app as run
        run()
    except KeyboardInterrupt:
        sys.stderr.write("crucible: interrupted\n")
        sys.exit(130)
