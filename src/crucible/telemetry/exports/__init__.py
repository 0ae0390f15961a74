"""Telemetry in files that other programs read: CSV, JSON lines, Parquet, and data frames.

Takes records and points from anywhere and knows no store. Every file is whole or absent, read once, and never held in
memory; `Anonymizer` hides users and sessions.
"""

from crucible.telemetry.exports.anonymizer import REMOVED, Anonymizer
from crucible.telemetry.exports.cells import guard, unguard
from crucible.telemetry.exports.columns import BASE_COLUMNS
from crucible.telemetry.exports.csv_file import write_csv
from crucible.telemetry.exports.exporting import FORMATS, default_path, export_points, export_records, safe_name
from crucible.telemetry.exports.frames import points_to_pandas, points_to_polars, to_pandas, to_polars
from crucible.telemetry.exports.identities import IDENTITY_NAMES
from crucible.telemetry.exports.jsonl_file import write_jsonl
from crucible.telemetry.exports.parquet_file import write_parquet
from crucible.telemetry.exports.points import (
    POINT_COLUMNS,
    Point,
    write_points_csv,
    write_points_jsonl,
    write_points_parquet,
)
from crucible.telemetry.exports.result import Exported
from crucible.telemetry.exports.source import Source

__all__ = [
    "BASE_COLUMNS",
    "FORMATS",
    "IDENTITY_NAMES",
    "POINT_COLUMNS",
    "REMOVED",
    "Anonymizer",
    "Exported",
    "Point",
    "Source",
    "default_path",
    "export_points",
    "export_records",
    "guard",
    "points_to_pandas",
    "points_to_polars",
    "safe_name",
    "to_pandas",
    "to_polars",
    "unguard",
    "write_csv",
    "write_jsonl",
    "write_parquet",
    "write_points_csv",
    "write_points_jsonl",
    "write_points_parquet",
]
