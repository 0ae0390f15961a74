"""The sink `stdout`: a report as text on standard output, under a heading."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import ClassVar

from crucible.pipeline import Context
from crucible.report.delivery import Delivery
from crucible.report.sink import SinkOptions

__all__ = ["StdoutSink"]


class StdoutSink:
    """Prints; what a terminal cannot show is spelled out."""

    Options: ClassVar[type[SinkOptions]] = SinkOptions

    def refuse(self, options: SinkOptions, formats: tuple[str, ...]) -> Iterable[tuple[str, str]]:  # noqa: ARG002  # a sink's
        """Return nothing: a terminal takes any text."""
        return ()

    def place(self, options: SinkOptions, name: str) -> str | None:  # noqa: ARG002  # a sink's
        """Return None: nothing on a terminal is overwritten."""
        return None

    def deliver(self, context: Context, delivery: Delivery, options: SinkOptions) -> Context:  # noqa: ARG002  # a sink's
        """Print the report."""
        encoding = sys.stdout.encoding or "utf-8"
        text = f"== {delivery.name} ({delivery.format}) ==\n{delivery.text}"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
        return context.add_output(delivery.record("stdout"))
