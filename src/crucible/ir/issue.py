"""One thing that validation has to say about a document."""

from __future__ import annotations

from typing import Literal, Self

import msgspec

from crucible.errors import SpecError
from crucible.ir.wording_text import label_of

__all__ = ["Issue", "Severity"]

Severity = Literal["error", "warning"]
"""An error keeps a document from being used; a warning says what may not be meant."""


class Issue(msgspec.Struct, frozen=True):
    """One problem of a document, and where it is.

    Args:
        path: Such as `reliability.ensemble.strategy` or `pipeline[1].name`; empty for the whole document.
        code: A stable word for programs, such as `type`, `choice`, `missing`, `unknown_key`, `secret`.
        message: What is wrong and what came; it mostly begins with the last name of the path.
        severity: `error` or `warning`.
    """

    path: str
    code: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        """Return one sentence with the whole path, such as `reliability.stats.alpha must be between 0 and 1, got 3`."""
        label = label_of(self.path, "")
        if label and self.message.startswith(f"{label} "):
            return self.path + self.message[len(label) :]
        return f"{self.path}: {self.message}" if self.path else self.message

    @classmethod
    def of(cls, error: SpecError) -> Self:
        """Return the issue that stands for a `SpecError`."""
        return cls(error.path, error.code, error.message)

    def as_error(self) -> SpecError:
        """Return the `SpecError` that stands for the issue, to be raised in `SpecErrors`."""
        return SpecError(self.message, path=self.path, code=self.code)
