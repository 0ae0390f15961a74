"""A chain in the formats of other programs: JSON and CSV text, the table of its trainings, OpenTelemetry spans.

Markdown, plain text, diagrams and the page have rooms of their own.
"""

from crucible.trace.exports.otel import export_otel, otel_spans
from crucible.trace.exports.text import CSV_COLUMNS, to_csv, to_json
from crucible.trace.exports.training_file import save_training_table
from crucible.trace.exports.training_table import training_table

__all__ = [
    "CSV_COLUMNS",
    "export_otel",
    "otel_spans",
    "save_training_table",
    "to_csv",
    "to_json",
    "training_table",
]
