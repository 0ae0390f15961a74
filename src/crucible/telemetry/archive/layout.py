"""Where things are in an archive.

    <folder>/experiment=<id>/experiment.json
                             manifest.json
                             events/day=2026-01-31/part-00000.parquet
                             series/day=2026-01-31/part-00000.parquet

`key=value` folders are what DuckDB, Spark, polars and pyarrow read as columns. Ids are percent-encoded in them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from crucible.errors import SpecError

__all__ = ["EVENTS", "INFO", "MANIFEST", "SERIES", "Kind", "day_of", "experiment_folder", "experiment_ids", "part_path"]

Kind = Literal["events", "series"]

EVENTS: Kind = "events"
SERIES: Kind = "series"
INFO = "experiment.json"
MANIFEST = "manifest.json"

_PREFIX = "experiment="
_DAY_NS = 86_400_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).date()


def experiment_folder(folder: Path, experiment_id: str) -> Path:
    """Return the folder of an experiment.

    Raises:
        SpecError: The id is empty.
    """
    if not experiment_id:
        raise SpecError("an archived experiment needs an id", path="id", code="required")
    return folder / f"{_PREFIX}{quote(experiment_id, safe='', errors='backslashreplace')}"


def experiment_ids(folder: Path) -> list[str]:
    """Return the ids of the experiments in an archive, sorted; a folder that is not there has none."""
    return sorted(unquote(path.parent.name[len(_PREFIX) :]) for path in folder.glob(f"{_PREFIX}*/{MANIFEST}"))


def day_of(timestamp_ns: int) -> str:
    """Return the day of a time in UTC, such as `2026-01-31`."""
    number = timestamp_ns // _DAY_NS
    first, last = (date.min - _EPOCH).days, (date.max - _EPOCH).days
    return (_EPOCH + timedelta(days=min(max(number, first), last))).isoformat()


def part_path(kind: Kind, day: str, number: int) -> str:
    """Return where a file lies in its experiment's folder."""
    return f"{kind}/day={day}/part-{number:05}.parquet"
