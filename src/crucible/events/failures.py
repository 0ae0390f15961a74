"""What handlers raised: how often, and what it was, in words, so that no frame of a program is held."""

from __future__ import annotations

import os
import threading

import msgspec

__all__ = ["HandlerFailures", "count", "error_words", "forget", "handler_errors", "handler_failures"]

_KEPT = 1000  # handlers; the counts of the one that failed longest ago go first


class HandlerFailures(msgspec.Struct, frozen=True):
    """What a handler raised since it was attached.

    Args:
        count: How often it raised.
        first: The first error, such as `ValueError: no`.
        first_event: Name of the event that it was told of then.
        last: The newest error.
        last_event: Name of the event that it was told of then.
    """

    count: int
    first: str
    first_event: str
    last: str
    last_event: str


_failures: dict[str, HandlerFailures] = {}
_lock = threading.RLock()


def count(handler_id: str, event_name: str, error: Exception) -> None:
    """Count an error of a handler."""
    words = f"{type(error).__name__}: {error_words(error)}".removesuffix(": ")
    with _lock:
        known = _failures.pop(handler_id, None)
        if known is None:
            known = HandlerFailures(0, words, event_name, words, event_name)
        _failures[handler_id] = HandlerFailures(known.count + 1, known.first, known.first_event, words, event_name)
        while len(_failures) > _KEPT:
            del _failures[next(iter(_failures))]


def forget(handler_id: str) -> None:
    """Begin to count anew."""
    with _lock:
        _failures.pop(handler_id, None)


def handler_errors() -> dict[str, int]:
    """Return how often each handler raised since it was attached; handlers without an error are left out."""
    return {handler_id: found.count for handler_id, found in handler_failures().items()}


def handler_failures() -> dict[str, HandlerFailures]:
    """Return what each handler raised since it was attached, its first and its newest error in words.

    Handlers without an error are left out; those that are detached meanwhile stay, up to 1,000.
    """
    with _lock:
        return dict(_failures)


def error_words(error: BaseException) -> str:
    """Return the message of an error, also of one that cannot say what it is."""
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001  # it must still be told
        return f"its message could not be made ({type(broken).__name__})"


def _lock_anew() -> None:
    global _lock  # noqa: PLW0603  # the parent's may have been held by a thread that does not exist in a forked child
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_lock_anew)
