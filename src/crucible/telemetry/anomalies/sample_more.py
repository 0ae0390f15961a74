"""The wish for more samples, from whoever saw something odd to whoever decides what is kept."""

from __future__ import annotations

__all__ = ["SampleMore"]


class SampleMore:
    """A time until which everything is worth keeping; shared between threads without a lock.

    Times are those of the events, so that a replay decides as the live run did.
    """

    __slots__ = ("_until_ns",)

    def __init__(self) -> None:
        self._until_ns = 0

    @property
    def until_ns(self) -> int:
        """Wall clock until which more is wanted, nanoseconds since 1970-01-01 UTC; 0 if it never was."""
        return self._until_ns

    def wants_more(self, until_ns: int) -> None:
        """Ask for more until a time; a wish is never cut short by an earlier one.

        Args:
            until_ns: Wall clock, nanoseconds since 1970-01-01 UTC, exclusive.
        """
        self._until_ns = max(self._until_ns, until_ns)

    def active(self, at_ns: int) -> bool:
        """Return whether more is wanted at a time, nanoseconds since 1970-01-01 UTC."""
        return at_ns < self._until_ns
