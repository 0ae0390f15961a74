"""Faults to put in a fake service's way, each for a number of requests to one path."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Fault", "Faults"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to a request instead of its answer.

    Args:
        status: HTTP status; None: none is sent.
        headers: Sent with it.
        body: Sent as JSON; None: an empty body.
        raw: Sent as it is, with the content type of protobuf, in place of `body`.
        delay_s: Waited first.
        is_torn: The connection breaks in the middle of the body.
        after: The request is carried out, and only its answer is lost.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None
    raw: bytes | None = None
    delay_s: float = 0.0
    is_torn: bool = False
    after: bool = False


class Faults:
    """Which requests fail, by the end of their path."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, Fault, int]] = []

    def add(self, path: str, fault: Fault, *, times: int = 1) -> None:
        """Let the next `times` requests fail whose path ends with `path`."""
        with self._lock:
            self._waiting.append((path, fault, times))

    def clear(self) -> None:
        """Let nothing fail any more."""
        with self._lock:
            self._waiting.clear()

    def take(self, path: str) -> Fault | None:
        """Return the fault of a request, if it is to fail."""
        with self._lock:
            for place, (end, fault, times) in enumerate(self._waiting):
                if path.endswith(end):
                    self._waiting[place] = (end, fault, times - 1)
                    if times == 1:
                        del self._waiting[place]
                    return fault
        return None
