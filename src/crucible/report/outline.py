"""What stands in a report and in which order: sections with their tables, the same in every format.

A renderer draws the tables, and around them what only it can draw: charts, answers, the document's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from crucible.report.metric_tables import metric_tables
from crucible.report.results import Results
from crucible.report.run_tables import (
    configuration_tables,
    dataset_tables,
    environment_tables,
    generation_table,
    loss_table,
    training_table,
)
from crucible.report.score_tables import comparison_tables, score_table
from crucible.report.table import Table

__all__ = ["Section", "SectionKey", "sections"]

SectionKey = Literal[
    "verdict",
    "scores-and-differences",
    "measurements",
    "training-loss",
    "answers",
    "provenance",
    "configuration",
    "reproduce",
    "missing",
]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report.

    Args:
        key: Name for links, unique.
        title: Heading.
        tables: In order; some sections have none.
    """

    key: SectionKey
    title: str
    tables: tuple[Table, ...] = ()


def sections(results: Results) -> list[Section]:
    """Return every section in order, those that turn out empty included."""
    return [
        Section("verdict", "Verdict"),
        Section(
            "scores-and-differences",
            "Scores and differences",
            _present(score_table(results), *comparison_tables(results)),
        ),
        Section("measurements", "Checks and other measurements", tuple(metric_tables(results))),
        Section("training-loss", "Training", _present(training_table(results), loss_table(results))),
        Section("answers", "Sample answers", _present(generation_table(results)) if _has_samples(results) else ()),
        Section("provenance", "Data", tuple(dataset_tables(results))),
        Section("configuration", "Configuration", tuple(configuration_tables(results))),
        Section("reproduce", "Reproduce", tuple(environment_tables(results))),
        Section("missing", "Not in this report"),
    ]


def _present(*tables: Table | None) -> tuple[Table, ...]:
    return tuple(table for table in tables if table is not None)


def _has_samples(results: Results) -> bool:
    return results.samples is not None and bool(results.samples.items)
