"""Anomalies in numbers."""

from __future__ import annotations

import pytest

from crucible.telemetry.anomalies import Anomaly, AnomalyConfig, AnomalyPeriod, Point, find_anomalies
from crucible.telemetry.anomalies.report import periods_of

_SECOND = 1_000_000_000


def anomaly(index: int, *, step: int | None = None, time_s: float | None = None, severity: str = "warning") -> Anomaly:
    """Return an anomaly at a place."""
    at_ns = None if time_s is None else round(time_s * _SECOND)
    return Anomaly("iqr", "x", 1.0, 2.0, 1.5, (0.0, 0.5), "up", severity, index, step, at_ns)  # type: ignore[arg-type]


def test_anomalies_no_further_apart_than_the_gap_are_one_period() -> None:
    """The gap is inclusive; a period has the severity of its worst; the order does not matter."""
    found = [
        anomaly(3, time_s=130, severity="critical"),
        anomaly(0, time_s=10),
        anomaly(1, time_s=70),
        anomaly(2, time_s=190.5),
    ]
    periods, axis = periods_of(found, gap_s=60, gap_steps=0)
    assert axis == "timestamp_ns"
    assert periods == (
        AnomalyPeriod(10 * _SECOND, 130 * _SECOND, 3, "critical"),
        AnomalyPeriod(round(190.5 * _SECOND), round(190.5 * _SECOND), 1, "warning"),
    )


def test_periods_count_in_what_all_anomalies_have() -> None:
    """Time before steps, steps before places."""
    mixed = [anomaly(0, step=5, time_s=1), anomaly(9, step=50)]
    assert periods_of(mixed, gap_s=1, gap_steps=10) == (
        (AnomalyPeriod(5, 5, 1, "warning"), AnomalyPeriod(50, 50, 1, "warning")),
        "step",
    )
    assert periods_of([*mixed, anomaly(12)], gap_s=1, gap_steps=9) == ((AnomalyPeriod(0, 12, 3, "warning"),), "index")
    assert periods_of([], gap_s=1, gap_steps=1)[0] == ()


def test_a_report_counts_by_method_metric_and_severity() -> None:
    """The rate is of values, so that two methods that agree do not double it."""
    points = [Point("a", 100.0 if place == 50 else float(place % 5), place, place * _SECOND) for place in range(100)]
    points += [Point("b", float(place % 3), place, place * _SECOND) for place in range(100)]
    report = find_anomalies(points, AnomalyConfig(metrics=("a", "b")))
    assert (report.total, report.flagged, report.checked, report.rate) == (2, 1, 200, 0.005)
    assert report.by_method == {"modified_z": 1, "iqr": 1}
    assert report.by_metric == {"a": 2}
    assert report.by_severity == {"critical": 2}
    assert report.periods == (AnomalyPeriod(50 * _SECOND, 50 * _SECOND, 2, "critical"),)
    assert report.text().splitlines() == [
        "2 anomalies at 1 of 200 values (0.50%)",
        "  by method: modified_z 1, iqr 1",
        "  by metric: a 2",
        "  by severity: critical 2",
        "  1970-01-01T00:00:50.000+00:00: 2 anomalies, critical",
    ]
    plain = report.to_dict()
    assert plain["periods"] == [{"start": 50 * _SECOND, "end": 50 * _SECOND, "count": 2, "severity": "critical"}]
    assert [each["method"] for each in plain["anomalies"]] == ["modified_z", "iqr"]


@pytest.mark.parametrize("times", [True, False])
def test_the_text_shows_the_first_periods_and_how_many_more(times: bool) -> None:
    """By time or by step; it says so when there is nothing."""
    config = AnomalyConfig(metrics=("a",), methods=("iqr",), period_gap_s=0, period_gap_steps=0)
    bad = {place * 50 for place in range(1, 9)}
    points = [
        Point("a", 1e3 if place in bad else float(place % 5), place, 10**30 + place if times else None)
        for place in range(500)
    ]
    lines = find_anomalies(points, config).text().splitlines()
    assert lines[4] == f"  {f'{10**30 + 50} ns' if times else 'step 50'}: 1 anomaly, critical"
    assert lines[-1] == "  and 3 more periods"
    assert find_anomalies(points[:40], config).text() == "No anomalies in 40 values."
