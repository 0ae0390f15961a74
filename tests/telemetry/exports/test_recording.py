"""Exports of a recording without the people: what is not written is learnt from all the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from crucible import events
from crucible.store import Store
from crucible.telemetry import Anonymizer, Experiment, Recorded

ADA, BEA, CAROL = "ada-000017", "bea@example.org", "carol-555555"


@pytest.fixture
def recording(store: Store) -> Recorded:
    """Ids that stand in the experiment's metadata, in its tags, and in the first of two events."""
    about: dict[str, Any] = {"tags": [ADA, f"user:{BEA}", "plain"], "metadata": {"owner": {"user_id": ADA}}}
    with Experiment.start(f"study of {ADA} for {BEA}", store=store, **about) as experiment:
        events.emit("login.done", {"n": 1}, {"user_id": CAROL})
        events.emit("a.failed", {"n": 2}, {"message": f"no rights for {CAROL}, ask {ADA} or {BEA}", "kept": "words"})
        experiment.log_metric(f"latency/{CAROL}", 1.0, 0)
        experiment.log_metric(f"latency/{ADA}", 2.0, 0)
    return Recorded(experiment.id, store)


def content(path: Path) -> str:
    """All that a file says."""
    if path.suffix != ".parquet":
        return path.read_text(encoding="utf-8")
    table = pyarrow.parquet.read_table(path)
    return json.dumps([table.schema.names, table.to_pydict()], default=str) + str(path.read_bytes())


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("asked", [{}, {"points": True}, {"names": ("a.failed",)}, {"limit": 1, "newest_first": True}])
@pytest.mark.parametrize("mode", ["drop", "hash"])
def test_no_id_of_a_recording_is_in_a_file(
    recording: Recorded, tmp_path: Path, mode: Any, asked: dict[str, Any], suffix: str
) -> None:
    """Points, chosen events and all of them hold no id that is known from any event, from metadata, or from a tag."""
    anonymizer = Anonymizer(mode, key="a secret" if mode == "hash" else None)
    made = recording.export(path=tmp_path / f"a.{suffix}", anonymizer=anonymizer, **asked)
    whole = content(made.path)
    assert [known for known in (ADA, BEA, CAROL) if known in whole] == []
    assert anonymizer.pseudonym(CAROL) in whole
    assert ("plain" in whole) is not asked.get("points", False)
    assert made.rows == (1 if asked.keys() & {"names", "limit"} else 2)


def test_a_recording_of_an_experiment_that_was_removed_is_cleaned_too(
    recording: Recorded, store: Store, tmp_path: Path
) -> None:
    """Where only the events are left, what they tell is hidden in the points."""
    recording.cleanup(keep_data=True)
    path = Recorded(recording.id, store).export(path=tmp_path / "a.csv", points=True, anonymizer=Anonymizer()).path
    assert CAROL not in path.read_text(encoding="utf-8")


def test_without_an_anonymizer_everything_is_written(recording: Recorded, tmp_path: Path) -> None:
    """Nothing is hidden that nobody asked to hide."""
    whole = content(recording.export(path=tmp_path / "a.jsonl").path)
    assert [known for known in (ADA, BEA, CAROL) if known not in whole] == []
