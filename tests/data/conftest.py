"""Real data where it is: the folder that CRUCIBLE_DATA names, else `../shared/data` beside the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder with `scifact/` and `gsm8k/`; skip where it is absent."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("CRUCIBLE_DATA") or beside)
    if not (folder / "scifact").is_dir():
        pytest.skip(f"the real SciFact and GSM8K files are not at {folder}; set CRUCIBLE_DATA to their folder")
    return folder
