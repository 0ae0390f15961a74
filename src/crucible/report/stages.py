"""The stage that hands out a run's results, each output in its formats to its sink.

It runs last, so it refuses what it cannot do before the run starts (`check`), and never while it runs.
"""

from __future__ import annotations

from typing import ClassVar, cast

from pydantic import BaseModel

from crucible.ir import Experiment, read_plain
from crucible.pipeline import Context, StageBase, check_cancelled
from crucible.report.collection import build_results
from crucible.report.delivery import Delivery
from crucible.report.refusals import refusals
from crucible.report.rendering import Format, render
from crucible.report.target import SINKS, ReportOptions, targets

__all__ = ["ReportOptions", "ReportStage"]


class ReportStage(StageBase):
    """Hand out the run's results as Markdown, HTML, JSON, LaTeX or CSV: to files, standard output, S3 or a database."""

    name: ClassVar[str] = "report"
    Options: ClassVar[type[BaseModel]] = ReportOptions
    reads: ClassVar[frozenset[str] | None] = frozenset({"outputs"})

    def check(self, experiment: Experiment, options: ReportOptions) -> list[tuple[str, str]]:
        """Return every output that cannot be written, as (path, what to do)."""
        return refusals(experiment, options, self.name)

    def run(self, context: Context, options: ReportOptions) -> Context:
        """Render every output and hand it to its sink; files are referenced as artifacts.

        Raises:
            StoreError: A report cannot be written, or reads back otherwise.
            MissingExtra: A sink needs a package that is not installed.
        """
        results = build_results(context, samples=options.samples)
        for target in targets(context.experiment, options):
            sink = SINKS[target.sink]
            chosen = read_plain(sink.Options, target.options, source=target.name, prefix=("sink_options",))
            for format_ in cast("tuple[Format, ...]", target.formats):
                check_cancelled()
                text = render(results, format_, fragment=chosen.fragment and format_ == "latex")
                context = sink.deliver(context, Delivery(target.name, format_, text), chosen)
        return context
