"""The one distinction of this room that callers outside it do not need: to them it is a `DataError`."""

from crucible.errors import DataError

__all__ = ["SandboxRefused"]


class SandboxRefused(DataError):  # noqa: N818  # as the rest of the error tree
    """Programs cannot be run here as safely as was asked; the message says why, and what may be asked instead."""
