"""The command line in several processes: process 0 is the command, the others compute for it and say nothing."""

from __future__ import annotations

import sys
from typing import Final

from crucible.backends.distributed import place, spread
from crucible.cli.app import run_app
from crucible.cli.failure import RUN_FAILED, complain
from crucible.errors import BackendError, MissingExtra

__all__ = ["run_in_processes"]

_SHARED: Final = ("demo", "resume", "run")


def run_in_processes() -> None:
    """Carry the command out in process 0; the others share its trainings and samplings, where it has any."""
    try:
        own = place()
        command = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
        if command in _SHARED:
            spread(run_app)
        elif own.leads:
            run_app()
    except (BackendError, MissingExtra) as error:
        complain(str(error), error)
        sys.exit(RUN_FAILED)
