"""Recordings beside each other: what is a sample is tested, what is one number is shown, and positive is better."""

from __future__ import annotations

import random

import pytest

from crucible import events
from crucible.errors import SpecError
from crucible.store import Store
from crucible.telemetry import Experiment, compare


def arm(store: Store, name: str, mean_ms: float, failures: float, seed: int, *, loss: float = 1.0) -> str:
    """Record an arm of an experiment; return its id."""
    rng = random.Random(seed)
    price = {"model": "m", "input_usd_per_1m": 1.0, "output_usd_per_1m": 1.0}
    prices = {"source": "list", "date": "2026-01-01", "prices": [price]}
    with Experiment.start(name, store=store, condition=name, prices=prices) as experiment:
        for step in range(150):
            kind = "exception" if rng.random() < failures else "stop"
            measured = {"duration_ns": round(rng.gauss(mean_ms, 5) * 1e6), "prompt_tokens": rng.randrange(5, 9)}
            events.emit(f"req_llm.request.{kind}", {**measured, "completion_tokens": 2}, {"model": "m"})
            experiment.log_metric("loss", loss / (step + 1), step)
            experiment.log_metric("accuracy", 1 - loss / (step + 1), step)
    return experiment.id


def test_a_faster_arm_is_found_and_the_others_are_not_called_equal(store: Store) -> None:
    """Latency differs, success does not: verdicts in words, corrected together, improvements positive where better."""
    baseline, faster = arm(store, "control", 100, 0.1, 1), arm(store, "treatment", 90, 0.1, 2, loss=0.5)
    found = compare(store, [baseline, faster])
    by_metric = {row.metric: row for row in found.metrics}
    latency = by_metric["latency_ms of req_llm.request.stop"]
    assert latency.test is not None
    assert latency.improvement == pytest.approx(10, abs=2)
    assert latency.test.difference == pytest.approx(-(latency.improvement or 0))
    assert latency.test.verdict.value == "difference"
    assert "treatment" in latency.test.wording
    assert latency.test.p_adjusted is not None
    assert latency.test.correction == "holm"
    success = by_metric["success_rate"]
    assert success.test is not None
    assert success.test.name == "fisher"
    assert "remains possible" in success.test.wording
    assert by_metric["cost_usd"].test is not None
    assert by_metric["total_tokens"].test is not None
    loss, accuracy = by_metric["loss"], by_metric["accuracy"]
    assert (loss.better, accuracy.better, loss.test, accuracy.test) == ("lower", "higher", None, None)
    assert loss.improvement is not None
    assert accuracy.improvement is not None
    assert loss.improvement > 0 < accuracy.improvement
    assert "no test" in loss.note
    tests = [row.test for row in found.metrics if row.test is not None]
    assert {test.comparisons for test in tests} == {len(tests)}
    assert found.to_dict()["metrics"][0]["test"]["wording"]


def test_what_one_side_lacks_is_no_crash(store: Store) -> None:
    """No latency, no cost, no events at all: the row says why there is no test."""
    full = arm(store, "control", 100, 0, 1)
    with Experiment.start("bare", store=store) as bare:
        bare.log_metric("loss", 0.5, 0)
        events.emit("x.stop", {"duration_ns": 5})
    with Experiment.start("empty", store=store) as empty:
        pass
    rows = compare(store, [full, bare.id, empty.id]).metrics
    success = [row for row in rows if row.metric == "success_rate"]
    assert ["two a side" in row.note for row in success] == [True, True]
    assert [row.treatment for row in success] == [bare.id, empty.id]


def test_a_comparison_needs_two(store: Store) -> None:
    """One recording, or the same twice, is an error; so is a correction that there is not."""
    one = arm(store, "control", 100, 0, 1)
    with pytest.raises(SpecError, match="at least two"):
        compare(store, [one])
    with pytest.raises(SpecError, match="not with itself"):
        compare(store, [one, one])
