"""What is wrong with a line of a record; whoever reads records for others tells it as a `StoreError` with its place."""

__all__ = ["BadLine"]


class BadLine(ValueError):  # noqa: N818  # named after what it is, as those of `errors`
    """A line is torn, altered, or no measurement."""
