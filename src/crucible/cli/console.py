"""Where the command line prints: a terminal, a file, or a pipe whose reader may go away at any time."""

from __future__ import annotations

import os
import sys

from rich.console import Console

__all__ = ["QuietConsole", "console", "silence"]

_WIDE = 140


class QuietConsole(Console):
    """A console that falls silent, and ends nothing, when the reader of its pipe goes away."""

    def on_broken_pipe(self) -> None:
        """Print nothing more; what is being done is done to its end."""
        self.quiet = True
        silence()


def console(*, stderr: bool = False) -> Console:
    """Return where to print; lines for a file or a pipe are long enough to hold a table's rows.

    Args:
        stderr: Print on stderr, because stdout is for a program.
    """
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _WIDE
    return QuietConsole(stderr=stderr, width=width)


def silence() -> None:
    """Point stdout nowhere, so that nothing fails for want of a reader."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
