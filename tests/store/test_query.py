"""Runs are found by what they are and by what they measured, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crucible.errors import SpecError
from crucible.pipeline import ContextDelta, RunInfo, StageRecord
from crucible.store import MetricFilter, RunQuery, Store, metric_at, open_store

START = datetime(2026, 1, 1, tzinfo=UTC)
RUNS: dict[str, dict[str, Any]] = {
    "a": {"score": 0.4, "model": "tiny"},
    "b": {"score": 0.9, "evaluate.tuned": {"exact": {"mean": 0.7}}},
    "c": {"score": math.nan},
    "d": {"loss": [3.0, 1.0]},
    "e": {"score": 0.5, "model": "big"},
}


@pytest.fixture
def filled(url: str) -> Store:  # type: ignore[misc]
    """Five runs, a minute apart; the last one still runs."""
    times = iter(START + timedelta(minutes=number) for number in range(5))
    moment = [START]
    with open_store(url, clock=lambda: moment[0]) as store:
        for name, metrics in RUNS.items():
            moment[0] = next(times)
            document = {"id": name, "tags": ["late", "x"] if name in "de" else None}
            store.runs.run_started(RunInfo(name, "odd" if name in "ac" else "even", document))
            half = dict(list(metrics.items())[:1])
            for index, part in enumerate((dict.fromkeys(half, -1.0), metrics)):
                store.runs.stage_finished(name, StageRecord(index, "s", "ok"), ContextDelta(metrics=part))
            if name != "e":
                store.runs.run_finished(name, "failed" if name == "a" else "completed", None)
        yield store  # type: ignore[misc]


def ids(store: Store, **query: Any) -> str:
    """Return the ids of the runs that a query finds, in its order."""
    return "".join(run.run_id for run in store.runs.list(RunQuery(**query)))


def test_runs_are_found_by_what_they_are(filled: Store) -> None:
    """Experiment, status, time and tag narrow the list; a limit counts what is left."""
    assert ids(filled) == "edcba"
    assert ids(filled, descending=False, limit=2) == "ab"
    assert ids(filled, experiment_id="odd") == "ca"
    assert ids(filled, status=("failed", "running")) == "ea"
    assert ids(filled, status=("interrupted",)) == ""
    assert ids(filled, since=START + timedelta(minutes=1), until=START + timedelta(minutes=3)) == "cb"
    assert ids(filled, tag="late") == "ed"
    assert ids(filled, tag="late", limit=1) == "e"
    assert ids(filled, tag="nobody") == ""
    assert [run.run_id for run in filled.runs.list(RunQuery(tag="late"), limit=1)] == ["e"]


def test_runs_are_found_by_what_they_measured(filled: Store) -> None:
    """The last value of a metric counts; all conditions must hold; a run without the metric fulfils none."""
    at_least_half = MetricFilter("score", ">=", 0.5)
    assert ids(filled, metrics=(at_least_half,)) == "eb"
    assert ids(filled, metrics=(at_least_half, MetricFilter("model", "==", "big"))) == "e"
    assert ids(filled, metrics=(MetricFilter("score", "!=", 0.4),)) == "ecb"
    assert ids(filled, metrics=(MetricFilter("evaluate.tuned.exact.mean", "<", 0.71),)) == "b"
    assert ids(filled, metrics=(MetricFilter("model", ">", 0.5),)) == ""
    assert ids(filled, metrics=(MetricFilter("score", "<", -0.5),)) == ""


def test_runs_are_ordered_by_a_metric(filled: Store) -> None:
    """Where it is no number, the run comes last, the latest of these first."""
    assert ids(filled, order_by="score") == "beadc"
    assert ids(filled, order_by="score", descending=False) == "aebdc"
    assert ids(filled, order_by="loss.1", limit=1) == "d"


def test_more_runs_than_a_page_are_looked_at(url: str) -> None:
    """A rare run is found behind hundreds of others, and read by another connection."""
    with open_store(url) as store:
        for number in range(205):
            store.runs.run_started(RunInfo(f"r{number:03}", "e", {}))
        store.runs.stage_finished("r000", StageRecord(0, "s", "ok"), ContextDelta(metrics={"hit": True}))
        found = store.runs.list(RunQuery(metrics=(MetricFilter("hit", "==", True),)))
    assert [run.run_id for run in found] == ["r000"]


def test_a_metric_is_found_by_its_path() -> None:
    """Names may hold dots: the longest that leads somewhere is taken; places of a list count from 0."""
    metrics = {"a": {"b": {"c": 1}}, "a.b": {"c": 2}, "x.y": 3, "x": {"z": [{"p": 4}, 5]}, "none": None}
    assert metric_at(metrics, "a.b.c") == 2
    assert metric_at(metrics, "a.b") == {"c": 2}
    assert metric_at({"a": {"b": {"c": 1}}, "a.b": {"d": 2}}, "a.b.c") == 1
    assert [metric_at(metrics, path) for path in ("x.y", "x.z.0.p", "x.z.1", "none")] == [3, 4, 5, None]
    for path in ("y", "x.z.2", "x.z.p", "x.y.z", "none.a", "x.z.-1"):
        assert metric_at(metrics, path, "absent") == "absent"


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("score>=0.5", MetricFilter("score", ">=", 0.5)),
        (" train.loss < 1e-3 ", MetricFilter("train.loss", "<", 0.001)),
        ("model = tiny", MetricFilter("model", "==", "tiny")),
        ('model == "0.5"', MetricFilter("model", "==", "0.5")),
        ("done!=true", MetricFilter("done", "!=", True)),
        ("best==null", MetricFilter("best", "==", None)),
    ],
)
def test_a_condition_is_read_from_text(text: str, condition: MetricFilter) -> None:
    """As one would type it."""
    assert MetricFilter.parse(text) == condition


@pytest.mark.parametrize("text", ["score", ">=0.5", "score>=", "", "a b"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    """The message shows one."""
    with pytest.raises(SpecError, match=r"write for instance train\.final_loss<0\.5"):
        MetricFilter.parse(text)


def test_an_interrupted_run_is_found_before_it_is_marked(url: str, opened: Callable[[], Store]) -> None:
    """What a dead process left as running is found as interrupted, and not as running."""
    import subprocess
    import sys

    script = (
        "import os, sys\n"
        "from crucible.pipeline import RunInfo\n"
        "from crucible.store import open_store\n"
        "open_store(sys.argv[1]).runs.run_started(RunInfo('dead', 'e', {}))\n"
        "os._exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", script, url], check=False)
    assert ids(opened(), status=("interrupted",)) == "dead"
    assert ids(opened(), status=("running",)) == ""
