"""What tells a Hub that does not answer from one that refuses; outside of this folder either is a `DataError`."""

from crucible.errors import DataError

__all__ = ["Unreachable"]


class Unreachable(DataError):  # noqa: N818  # as the rest of the error tree
    """The Hub does not answer; what is recorded and cached may still do."""
