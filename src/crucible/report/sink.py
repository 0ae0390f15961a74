"""What a sink is: options that the document gives it, what it refuses beforehand, and how it takes a report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

from pydantic import Field

from crucible.pipeline import Context, StageOptions
from crucible.report.delivery import Delivery

__all__ = ["Sink", "SinkOptions"]


class SinkOptions(StageOptions):
    """Options of every sink."""

    fragment: bool = Field(default=False, description="For latex: the tables alone, for \\input in a paper.")


class Sink(Protocol):
    """A place that reports go to."""

    Options: ClassVar[type[SinkOptions]]

    def refuse(self, options: Any, formats: tuple[str, ...]) -> Iterable[tuple[str, str]]:
        """Return what cannot be carried out, as (option, what to do); nothing is written."""
        ...

    def place(self, options: Any, name: str) -> str | None:
        """Return where the reports of an output go, without their format; None if they can never collide.

        Two outputs of one sink that have the same place would meet in the same files.
        """
        ...

    def deliver(self, context: Context, delivery: Delivery, options: Any) -> Context:
        """Take a report, and list it among the run's outputs.

        Raises:
            StoreError: It could not be kept.
        """
        ...
