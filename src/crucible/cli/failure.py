"""Errors as a person meets them: one paragraph on stderr and an exit code; a traceback only with `--debug`."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import traceback
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer

from crucible.cli.console import silence
from crucible.errors import Cancelled, CrucibleError, SpecError, SpecErrors

__all__ = ["BAD_INPUT", "INTERRUPTED", "RUN_FAILED", "complain", "deaf_to_interrupts", "handled"]

RUN_FAILED = 1
BAD_INPUT = 2
INTERRUPTED = 130

P = ParamSpec("P")
R = TypeVar("R")


def handled(command: Callable[P, R]) -> Callable[P, R]:
    """Turn what a command raises into a paragraph and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (KeyboardInterrupt, Cancelled, asyncio.CancelledError):
            deaf_to_interrupts()
            complain("interrupted")
            code = INTERRUPTED
        except SystemExit as ended:  # somebody else's code: whatever it says, the command was not done
            complain(f"a stage asked the process to exit ({ended.code!r})", ended)
            code = RUN_FAILED
        except BrokenPipeError:
            silence()  # the reader of our output is gone: nothing more to say
            code = RUN_FAILED
        except (SpecErrors, SpecError) as error:
            complain(str(error), error)
            code = BAD_INPUT
        except CrucibleError as error:
            complain(str(error), error)
            code = RUN_FAILED
        except OSError as error:
            complain(f"the output cannot be written ({error.strerror or error})", error)
            silence()
            code = RUN_FAILED
        raise typer.Exit(code)

    return wrapped


def deaf_to_interrupts() -> None:
    """Ignore further Ctrl-C: the program is ending, and a second one would only leave a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def complain(message: str, error: BaseException | None = None) -> None:
    """Print one paragraph on stderr, and the traceback if `--debug` asked for it."""
    if error is not None and os.environ.get("CRUCIBLE_DEBUG"):
        traceback.print_exception(error)
    typer.echo(f"crucible: {message}", err=True)
