"""The temporary file of rows."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from crucible.errors import StoreError
from crucible.telemetry.exports.spool import Spool


def test_rows_come_back_in_order_and_again(tmp_path: Path) -> None:
    """Rows are read from the start as often as one likes, and more can be added; nothing is seen in the folder."""
    with Spool(tmp_path) as spool:
        rows = [[n, math.inf, None, "ü"] for n in range(1000)]
        for row in rows:
            spool.add(row)
        assert list(spool.rows()) == rows
        spool.add("more")
        assert list(spool.rows())[-1] == "more"
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The error names the folder in which there is no space."""
    with pytest.raises(StoreError, match="nowhere cannot be written"):
        Spool(tmp_path / "nowhere")
