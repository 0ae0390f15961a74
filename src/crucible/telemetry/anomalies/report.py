"""Anomalies in numbers: how many, how often, by method and metric, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from crucible.telemetry.anomalies.anomaly import Anomaly, Severity

__all__ = ["AnomalyPeriod", "AnomalyReport", "periods_of"]

Axis = Literal["timestamp_ns", "step", "index"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHOWN = 5


class AnomalyPeriod(msgspec.Struct, frozen=True):
    """A time with anomalies.

    Args:
        start: First anomaly, on the report's axis.
        end: Last anomaly, inclusive.
        count: Anomalies in it.
        severity: The worst of them.
    """

    start: int
    end: int
    count: int
    severity: Severity


class AnomalyReport(msgspec.Struct, frozen=True):
    """What was found.

    Args:
        total: Anomalies; a value that two methods flag counts twice.
        checked: Values that were looked at.
        flagged: Values with at least one anomaly.
        rate: flagged / checked, 0 to 1; None if nothing was looked at.
        by_method: Anomalies by method, `non_finite` among them.
        by_metric: Anomalies by metric.
        by_severity: Anomalies by severity.
        periods: When, in order; anomalies no further apart than `period_gap_s` (or `period_gap_steps`) are one period.
        axis: What periods count in: time, if every anomaly has one; else steps, if every one has; else places.
        anomalies: The anomalies in order of arrival.
        left_out: Anomalies that are counted but no longer kept, the oldest ones; periods are without them.
    """

    total: int
    checked: int
    flagged: int
    rate: float | None
    by_method: dict[str, int]
    by_metric: dict[str, int]
    by_severity: dict[str, int]
    periods: tuple[AnomalyPeriod, ...]
    axis: Axis
    anomalies: tuple[Anomaly, ...]
    left_out: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; NaN and infinities stay floats, which `store.encode` keeps."""
        return {
            **msgspec.structs.asdict(self),
            "periods": [msgspec.structs.asdict(period) for period in self.periods],
            "anomalies": [anomaly.to_dict() for anomaly in self.anomalies],
        }

    def text(self) -> str:
        """Return the report in a few lines."""
        if self.rate is None:
            return "No values were looked at."
        if not self.total:
            return f"No anomalies in {self.checked:,} values."
        lines = [
            f"{_counted(self.total, 'anomaly', 'anomalies')} at {self.flagged:,} of "
            f"{_counted(self.checked, 'value', 'values')} ({self.rate:.2%})",
            f"  by method: {_listed(self.by_method)}",
            f"  by metric: {_listed(self.by_metric)}",
            f"  by severity: {_listed(self.by_severity)}",
        ]
        for period in self.periods[:_SHOWN]:
            start, end = self._place(period.start), self._place(period.end)
            span = start if start == end else f"{start} to {end}"
            lines.append(f"  {span}: {_counted(period.count, 'anomaly', 'anomalies')}, {period.severity}")
        if len(self.periods) > _SHOWN:
            lines.append(f"  and {len(self.periods) - _SHOWN:,} more periods")
        return "\n".join(lines)

    def _place(self, at: int) -> str:
        if self.axis != "timestamp_ns":
            return f"{self.axis} {at}"
        try:
            return (_EPOCH + timedelta(microseconds=at // 1000)).isoformat(timespec="milliseconds")
        except OverflowError:  # beyond the year 9999
            return f"{at} ns"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def periods_of(anomalies: Iterable[Anomaly], *, gap_s: float, gap_steps: int) -> tuple[tuple[AnomalyPeriod, ...], Axis]:
    """Return when there were anomalies, and what that is counted in.

    Args:
        anomalies: In any order.
        gap_s: Anomalies no more than so many seconds apart are one period.
        gap_steps: The same in steps or places, where not all have a time.
    """
    kept = list(anomalies)
    axis, places = _axis(kept)
    gap = round(gap_s * 1e9) if axis == "timestamp_ns" else gap_steps
    periods: list[AnomalyPeriod] = []
    for place, anomaly in sorted(zip(places, kept, strict=True), key=lambda pair: pair[0]):
        last = periods[-1] if periods else None
        if last is None or place - last.end > gap:
            periods.append(AnomalyPeriod(place, place, 1, anomaly.severity))
        else:
            worst: Severity = "critical" if "critical" in (last.severity, anomaly.severity) else "warning"
            periods[-1] = AnomalyPeriod(last.start, place, last.count + 1, worst)
    return tuple(periods), axis


def _axis(anomalies: Sequence[Anomaly]) -> tuple[Axis, list[int]]:
    times = [each.timestamp_ns for each in anomalies if each.timestamp_ns is not None]
    if len(times) == len(anomalies):
        return "timestamp_ns", times
    steps = [each.step for each in anomalies if each.step is not None]
    if len(steps) == len(anomalies):
        return "step", steps
    return "index", [each.index for each in anomalies]
