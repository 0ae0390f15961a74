"""Experiments put away: Parquet in folders by experiment and day, or one file of JSON lines.

An archive knows no store: it takes records and points from anywhere, and gives them back equal.
"""

from crucible.telemetry.archive.json_lines import JsonlArchive, read_jsonl_archive, write_jsonl_archive
from crucible.telemetry.archive.manifest import ArchivedFile, ArchiveManifest, read_info, read_manifest
from crucible.telemetry.archive.reading import archived_experiments, read_archive, read_points
from crucible.telemetry.archive.verification import ArchiveProblem, verify_archive
from crucible.telemetry.archive.writing import write_archive

__all__ = [
    "ArchiveManifest",
    "ArchiveProblem",
    "ArchivedFile",
    "JsonlArchive",
    "archived_experiments",
    "read_archive",
    "read_info",
    "read_jsonl_archive",
    "read_manifest",
    "read_points",
    "verify_archive",
    "write_archive",
    "write_jsonl_archive",
]
