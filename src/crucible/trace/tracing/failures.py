"""What an error says of itself, in bounded words: for events that tell of failures."""

from __future__ import annotations

import traceback

from crucible.errors import Cancelled
from crucible.trace.plain import plain

__all__ = ["facts_of", "is_stop", "message_of", "shortened"]

_MESSAGE = 2_000  # characters kept of a message
_TRACEBACK = 16_000  # characters kept of a traceback
_FRAMES = 60  # frames kept of each end's traceback


def is_stop(error: BaseException) -> bool:
    """Return whether an error means that somebody ended the work on purpose: nothing is wrong then."""
    import asyncio  # slow to import; whoever raises its CancelledError has done so already

    if isinstance(error, SystemExit):
        return error.code in (None, 0)
    return isinstance(error, Cancelled | asyncio.CancelledError | KeyboardInterrupt | GeneratorExit)


def facts_of(error: BaseException) -> dict[str, str]:
    """Return `error_type`, `error` and `traceback` as JSON values; long ones lose their middle."""
    return {
        "error_type": type(error).__name__,
        "error": plain(shortened(message_of(error), _MESSAGE)),
        "traceback": plain(shortened(_traceback_of(error), _TRACEBACK)),
    }


def message_of(error: BaseException) -> str:
    """Return an error's message; one that cannot be made is told as such."""
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001  # an error that cannot say what it is must still be told
        return f"its message could not be made ({type(broken).__name__})"


def shortened(text: str, length: int) -> str:
    """Return a text of at most about `length` characters; what is left out of the middle is counted.

    Args:
        text: Any text.
        length: Characters to keep.
    """
    if len(text) <= length:
        return text
    head = length // 4
    return f"{text[:head]}\n… {len(text) - length} characters left out …\n{text[head - length :]}"


def _traceback_of(error: BaseException) -> str:
    try:
        # the innermost frames: negative limits count from there
        lines = traceback.TracebackException.from_exception(error, limit=-_FRAMES).format()
        return "".join(lines)
    except Exception as broken:  # noqa: BLE001  # strangers' errors may break the formatting
        return f"its traceback could not be made ({type(broken).__name__})"
