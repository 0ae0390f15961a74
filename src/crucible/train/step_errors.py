"""Which optimiser step an error belongs to: it is in the message, and `step` of the error."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from crucible.errors import BackendError, DataError, TrainError

__all__ = ["naming_step"]


@contextmanager
def naming_step(step: int) -> Generator[None]:
    """Let an error of a backend, of the data or of the training that leaves the block say which step it was.

    The error stays the one it is, with all that it carries; one that names a step already is left alone.

    Args:
        step: The optimiser step, from 1.
    """
    try:
        yield
    except (BackendError, DataError, TrainError) as error:
        found: Any = error
        if getattr(found, "step", None) is None:
            found.args = (f"step {step}: {error}", *error.args[1:])
            found.step = step
        raise
