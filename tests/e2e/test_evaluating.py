"""A run that is ended while it evaluates goes on at the item where it was."""

import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Place

ITEMS = 40
DRAWN = {"scorers": ["field_f1"], "max_tokens": 48, "batch_size": 1, "temperature": 1.0, "seed": 4, "label": "small"}


def document(place: "Place") -> None:
    """Write a document that only evaluates, one item a call."""
    training = {"id": "t", "model_ref": {"id": str(place.base)}, "dataset_ref": {"name": "tickets"}}
    place.write(
        training_config=training,
        dataset={"name": "tickets", "options": {"limit": 4, "test_limit": ITEMS}},
        pipeline=[{"name": "data_load"}, {"name": "evaluate", "options": DRAWN}, {"name": "report"}],
    )


def ended(place: "Place", with_signal: signal.Signals, lines: int, *command: str) -> None:
    """Run until so many measurements are recorded in all, and send a signal."""
    process = place.start(*command)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = list(place.folder.glob(".crucible/artifacts/*/evaluate/small.jsonl"))
        if found and max(path.read_bytes().count(b"\n") for path in found) >= lines:
            process.send_signal(with_signal)
            process.communicate(timeout=60)
            return
        if process.poll() is not None:
            raise AssertionError(f"ended before it could be interrupted: {process.communicate()}")
        time.sleep(0.002)
    raise AssertionError("nothing was recorded")


def scores(place: "Place", run_id: str) -> list[dict[str, Any]]:
    """Return the lines of the scores of a run."""
    path = Path(place.folder, ".crucible", "artifacts", run_id, "evaluate", "small.jsonl")
    return [json.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.slow  # five processes that load PyTorch
def test_a_run_ended_twice_while_it_evaluates_finds_what_it_would_have_found(place: "Place") -> None:
    """By kill -9, then by Ctrl-C: each resume goes on inside the stage; metrics and file are those of a whole run."""
    document(place)
    ended(place, signal.SIGKILL, 6, "run", "e.yaml")
    run_id = place.runs()[0]["run_id"]
    first = scores(place, run_id)
    assert 6 <= len(first) < ITEMS
    ended(place, signal.SIGINT, len(first) + 5, "resume", run_id)
    second = scores(place, run_id)
    assert second[: len(first)] == first
    assert len(first) + 5 <= len(second) < ITEMS
    assert place.runs()[0]["status"] == "cancelled"
    place.crucible("resume", run_id)
    third = scores(place, run_id)
    assert third[: len(second)] == second
    resumed = place.show(run_id)

    place.crucible("run", "e.yaml")
    whole = place.show(place.runs()[0]["run_id"])
    assert scores(place, whole["run_id"]) == third
    for metric in ("evaluate.small", "generation.small"):
        assert resumed["metrics"][metric] == whole["metrics"][metric]
