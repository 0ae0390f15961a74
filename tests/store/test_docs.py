"""The guide to runs shows what happens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crucible.pipeline import ContextDelta, Failure, RunInfo, StageRecord
from crucible.store import open_store

START = datetime(2026, 1, 1, tzinfo=UTC)


def make_runs() -> None:
    """Make the three runs of the guide, a day apart, the second one with a failed attempt."""
    moment = [START]
    with open_store(".crucible", clock=lambda: moment[0]) as store:
        for day, (rank, loss) in enumerate(((4, 0.62), (8, 0.43), (16, 0.21))):
            start = moment[0] = START + timedelta(days=day)
            run_id, runs = f"rank{rank}", store.runs
            document = {"id": "tickets", "tags": ["sweep"]}
            (store.workspace(run_id) / "data").write_text("hello")
            runs.run_started(RunInfo(run_id, "tickets", document))
            file = {"path": "data", "sha256": "d" * 64, "size_bytes": 5, "media_type": "text/plain"}
            index = 0
            if rank != 8:
                runs.stage_finished(run_id, StageRecord(0, "load", "ok"), ContextDelta(artifacts={"data": file}))
                index = 1
            at = [(start + timedelta(seconds=second)).isoformat() for second in (1, 4)]
            failed = StageRecord(index, "train", "failed", None, 1, at[0], 2 * 10**9, Failure("OSError", "disk full"))
            if rank == 8:
                runs.stage_finished(run_id, failed, ContextDelta())
            adapter = {**file, "path": "adapter", "sha256": f"{rank:02}" * 32, "made_from": ["data"]}
            delta = ContextDelta({"train": {"loss": loss, "rank": rank}}, [], {"adapter": adapter})
            if rank == 8:
                delta.artifacts["data"] = file
            runs.stage_finished(run_id, StageRecord(index, "train", "ok", None, 2, at[1], 2 * 10**9), delta)
            moment[0] += timedelta(seconds=9)
            runs.run_finished(run_id, "completed", None)


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, follow_guide: Callable[..., int]) -> None:
    """Each Python block runs after the ones before it, and prints what the text block below it shows."""
    monkeypatch.chdir(tmp_path)
    make_runs()
    names: dict[str, Any] = {}
    try:
        assert follow_guide("runs.md", names) == 4
    finally:
        names["store"].close()
