"""What the fake service was asked."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Recorded"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request as it came.

    Args:
        method: Such as `POST`.
        path: Without the query.
        headers: Names in lower case.
        body: Its bytes.
        at_s: When, on a monotonic clock.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at_s: float
