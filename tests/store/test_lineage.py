"""Where files come from: by which stage, from what, and in which runs, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from crucible.errors import StoreError
from crucible.pipeline import ContextDelta, RunInfo, StageRecord
from crucible.store import ArtifactInput, Store


def ref(digit: str, *made_from: str) -> dict[str, Any]:
    """Return the reference of a file whose digest repeats a digit."""
    fields = {"path": f"{digit}.bin", "sha256": digit * 64, "size_bytes": 3, "media_type": "text/plain"}
    return {**fields, "made_from": list(made_from)} if made_from else fields


def finish(store: Store, run_id: str, index: int, files: dict[str, Any], attempt: int = 1) -> None:
    """Let a stage end that made these files."""
    record = StageRecord(index, f"stage{index}", "ok", attempt=attempt)
    store.runs.stage_finished(run_id, record, ContextDelta(artifacts=files))


@pytest.fixture
def filled(store: Store) -> Store:
    """Data, an adapter of it, a report of both, and a chart that the report's stage made from the report."""
    store.runs.run_started(RunInfo("r", "e", {}))
    finish(store, "r", 0, {"data": ref("a")})
    finish(store, "r", 1, {"adapter": ref("b", "data")}, attempt=2)
    finish(store, "r", 2, {"report": ref("c", "adapter", "data", "notes"), "chart": ref("d", "report")})
    return store


def test_a_file_knows_the_stage_that_made_it(filled: Store) -> None:
    """And the attempt, its size and kind, and what it was made from, with the content of then."""
    adapter = filled.runs.artifacts("r")[1]
    assert (adapter.name, adapter.stage, adapter.stage_index, adapter.attempt) == ("adapter", "stage1", 1, 2)
    assert (adapter.run_id, adapter.path, adapter.size_bytes, adapter.media_type) == ("r", "b.bin", 3, "text/plain")
    assert adapter.made_from == (ArtifactInput("data", "a" * 64),)


def test_lineage_walks_up(filled: Store) -> None:
    """From a file to all that it stands on, each once; a name that stood for nothing has no content."""
    assert [entry.name for entry in filled.runs.lineage("r", "chart")] == ["chart", "report", "adapter", "data"]
    assert [entry.name for entry in filled.runs.lineage("r", "data")] == ["data"]
    report = filled.runs.lineage("r", "report")[0]
    assert report.made_from[-1] == ArtifactInput("notes", None)


def test_an_unknown_artifact_is_answered_with_known_ones(filled: Store) -> None:
    """The message names near ones, or all."""
    with pytest.raises(StoreError, match='r made no artifact "adaptr"; it made adapter'):
        filled.runs.lineage("r", "adaptr")
    with pytest.raises(StoreError, match='no artifact "xyz"; it made adapter, chart, data, report$'):
        filled.runs.lineage("r", "xyz")


def test_a_new_version_stands_on_the_one_before(store: Store) -> None:
    """A stage that replaces a file of the same name made it from the old one, not from itself."""
    store.runs.run_started(RunInfo("r", "e", {}))
    finish(store, "r", 0, {"model": ref("a")})
    finish(store, "r", 1, {"model": ref("b", "model")})
    finish(store, "r", 2, {"report": ref("c", "model")})
    found = store.runs.lineage("r", "report")
    assert [(entry.name, entry.sha256[0]) for entry in found] == [("report", "c"), ("model", "b"), ("model", "a")]


def test_files_that_stand_on_each_other_end(store: Store) -> None:
    """Two files of one stage that name each other do not make the walk endless; naming one twice is once."""
    store.runs.run_started(RunInfo("r", "e", {}))
    finish(store, "r", 0, {"x": ref("a", "y", "y"), "y": ref("b", "x")})
    assert [entry.name for entry in store.runs.lineage("r", "x")] == ["x", "y"]


def test_a_stage_done_again_replaces_its_lineage(filled: Store) -> None:
    """What the earlier attempt said is gone with its files."""
    finish(filled, "r", 2, {"report": ref("e", "data")}, attempt=2)
    assert [entry.name for entry in filled.runs.lineage("r", "report")] == ["report", "data"]
    assert [entry.name for entry in filled.runs.artifacts("r")] == ["data", "adapter", "report"]


def test_what_a_file_was_made_from_travels_with_the_context(filled: Store) -> None:
    """A resumed run finds the reference as the stage gave it."""
    files = filled.runs.resume_state("r").deltas
    assert files[1].artifacts["adapter"] == ref("b", "data")
    assert filled.runs.snapshot("r").artifacts["report"]["made_from"] == ["adapter", "data", "notes"]


def test_the_same_content_is_found_in_all_runs(filled: Store) -> None:
    """By its digest or the beginning of it; the earliest run comes first."""
    filled.runs.run_started(RunInfo("q", "e", {}))
    finish(filled, "q", 0, {"copy": ref("a")})
    found = filled.runs.runs_with_artifact("A" * 8)
    assert [(entry.run_id, entry.name) for entry in found] == [("r", "data"), ("q", "copy")]
    assert filled.runs.runs_with_artifact("f" * 64) == []
    assert filled.runs.runs_with_artifact("%%%%%%%%") == []
    with pytest.raises(StoreError, match='"aaa" is too short for a content; give 8 digits'):
        filled.runs.runs_with_artifact("aaa")
