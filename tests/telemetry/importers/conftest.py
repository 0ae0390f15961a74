"""The files that other tools wrote, and short ways to read them back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crucible.telemetry.importers import ImportedRun

Points = list[tuple[str, int, float]]


@pytest.fixture
def data() -> Path:
    """The folder of files that `make_fixtures.py` made."""
    return Path(__file__).parent / "data"


@pytest.fixture
def points_of() -> Callable[[ImportedRun], Points]:
    """Read all points of a run as (series, step, value)."""

    def read(run: ImportedRun) -> Points:
        return [(point.series, point.step, point.value) for batch in run.points() for point in batch]

    return read
