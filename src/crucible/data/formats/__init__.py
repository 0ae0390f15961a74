"""File formats: each one reads a file row by row, and says of a file that is not what it seems where it stops being so.

JSONL, a JSON array, CSV and TSV, each also gzipped; Parquet; Arrow IPC (Feather). Nothing in a file is executed.
"""

from crucible.data.formats.kinds import FileFormat, format_names, format_of, format_problem, formats_for, suffixes_of
from crucible.data.formats.raw import sha256_of, text_of_error

__all__ = [
    "FileFormat",
    "format_names",
    "format_of",
    "format_problem",
    "formats_for",
    "sha256_of",
    "suffixes_of",
    "text_of_error",
]
