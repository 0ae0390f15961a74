"""The one distinction of this room that callers outside it do not need: to them a missing split is a `DataError`."""

from crucible.errors import DataError

__all__ = ["SplitMissing"]


class SplitMissing(DataError):  # noqa: N818  # as the rest of the error tree
    """The source is there and does not have this split; whoever looks for a test set may hold one out instead."""
