"""Records as OpenTelemetry's metrics."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import pytest

from crucible.store import StoredEvent
from crucible.telemetry.bridges import convention
from crucible.telemetry.bridges.metrics import MetricWriter

from .conftest import SECOND, Told

Make = Callable[..., StoredEvent]


def writer(told: Told, **options: Any) -> MetricWriter:
    """Return a writer to memory."""
    return MetricWriter(told.meters.get_meter("test"), convention(), **options)


def test_a_request_goes_into_the_histograms_of_the_convention(record: Make, told: Told) -> None:
    """Duration in seconds and tokens of either kind, with the model; nothing of it a second time under our names."""
    written = writer(told)
    metadata = {"model": "m", "backend": "local"}
    counted = {"duration_ns": 2 * SECOND, "prompt_tokens": 12, "completion_tokens": 5, "prompts": 2}
    written.add(record("req_llm.request.stop", metadata=metadata, measurements=counted))
    failed = {**metadata, "error_type": "DataError"}
    written.add(record("req_llm.request.exception", metadata=failed, measurements={"duration_ns": SECOND}))
    about = {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "local",
        "gen_ai.request.model": "m",
    }
    good, bad = told.points("gen_ai.client.operation.duration")
    assert (good.sum, good.count, dict(good.attributes)) == (2.0, 1, about)
    assert (bad.sum, dict(bad.attributes)) == (1.0, {**about, "error.type": "DataError"})
    assert told.metrics()["gen_ai.client.operation.duration"].unit == "s"
    assert good.explicit_bounds == convention().operation_duration.boundaries
    tokens = told.points("gen_ai.client.token.usage")
    assert {point.attributes["gen_ai.token.type"]: point.sum for point in tokens} == {"input": 12, "output": 5}
    assert told.metrics()["gen_ai.client.token.usage"].unit == "{token}"
    assert set(told.metrics()) == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "req_llm.request.stop",
        "req_llm.request.stop.prompts",
        "req_llm.request.exception",
    }


def test_everything_else_is_named_after_our_events(record: Make, told: Told) -> None:
    """A counter of occurrences, a histogram of durations in seconds, gauges with the registry's units."""
    written = writer(told)
    for step in (1, 2):
        counted = {"step": step, "loss": 1 / step, "duration_ns": step * 10**6}
        written.add(
            record("crucible_train.batch.stop", step, metadata={"model": "rank16"}, measurements=counted, stage="tune")
        )
    written.add(record("crucible_framework.stage.retry", measurements={"attempt": 1, "wait_s": 0.5}))
    written.add(record("mine.done", measurements={"load_ms": 250, "score": 0.5, "label": "x", "_ns": 1}))
    labels = {"model": "rank16", "stage": "tune"}
    (count,) = told.points("crucible_train.batch.stop")
    assert (count.value, dict(count.attributes)) == (2, labels)
    (took,) = told.points("crucible_train.batch.duration")
    assert (took.count, took.sum, dict(took.attributes)) == (2, pytest.approx(0.003), labels)
    assert told.points("crucible_train.batch.stop.loss")[0].value == 0.5
    assert told.points("crucible_framework.stage.retry.wait")[0].sum == 0.5
    assert told.points("mine.done.load")[0].sum == 0.25
    assert told.points("mine.done.score")[0].value == 0.5
    assert told.points("mine.done._ns")[0].value == 1
    units = {name: metric.unit for name, metric in told.metrics().items()}
    assert units["crucible_train.batch.stop"] == "{event}"
    assert units["crucible_train.batch.duration"] == "s"
    assert units["crucible_train.batch.stop.loss"] == "{nat}"
    assert units["crucible_train.batch.stop.step"] == "1"
    assert "mine.done.label" not in units


def test_what_no_instrument_takes_is_counted(record: Make, told: Told, caplog: pytest.LogCaptureFixture) -> None:
    """NaN, infinities and negative durations would spoil a sum for good: they are skipped, and the SDK not bothered."""
    written = writer(told)
    with caplog.at_level(logging.WARNING):
        for value in (math.nan, math.inf, -1.0, 3.0):
            written.add(record("mine", measurements={"score": value, "took_s": value}))
    assert (written.measured, written.skipped) == (3, 5)
    assert told.points("mine.took")[0].sum == 3.0
    assert caplog.records == []


def test_names_become_legal(record: Make, told: Told, caplog: pytest.LogCaptureFixture) -> None:
    """A name that the SDK would refuse is changed to the nearest; spellings in other letters share an instrument."""
    written = writer(told)
    with caplog.at_level(logging.WARNING):
        for name in ("9 lives ∑", "Über", "a" * 400, "mine", "MINE", ""):
            written.add(record(name, measurements={"x y": 1}))
    assert caplog.records == []
    assert {"x9_lives__", "x_ber", "mine", "x", "a" * 255} <= set(told.metrics())
    assert told.points("mine")[0].value == 2


def test_there_is_a_bound_on_instruments(record: Make, told: Told) -> None:
    """Names that are made up as a program runs cannot fill the memory; what has no place is counted as skipped."""
    written = writer(told, most_instruments=10)
    for index in range(100):
        written.add(record(f"made.up.{index}"))
    assert len(told.metrics()) == 10
    assert written.skipped == 90


def test_a_name_of_two_kinds_is_one_instrument(record: Make, told: Told, caplog: pytest.LogCaptureFixture) -> None:
    """An event called as another's measurement is skipped: the SDK would write both into one."""
    written = writer(told)
    with caplog.at_level(logging.WARNING):
        written.add(record("a", measurements={"b": 7}))
        written.add(record("a.b"))
    assert caplog.records == []
    assert written.skipped == 1
    assert told.points("a.b")[0].value == 7
