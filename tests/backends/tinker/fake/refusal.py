"""What the fake service refuses."""

from __future__ import annotations

__all__ = ["RefusedError"]


class RefusedError(Exception):
    """An answer of status 4xx.

    Args:
        status: The status.
        message: Why.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
