"""A value that is out of the ordinary: what it was, what was expected, and how far it is from that."""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

__all__ = ["NON_FINITE", "NOWHERE", "Anomaly", "At", "Direction", "Severity", "non_finite", "severity_of"]

Direction = Literal["up", "down", "none"]
Severity = Literal["warning", "critical"]

NON_FINITE = "non_finite"
"""The method of anomalies that are no number at all: NaN and the infinities. It needs no detector."""

_CRITICAL = 2.0


class At(msgspec.Struct, frozen=True, gc=False):
    """Where a value stands.

    Args:
        step: Its step, None without one.
        timestamp_ns: Wall clock, nanoseconds since 1970-01-01 UTC, None without one.
        event_id: The event that it is of, None for a bare number.
    """

    step: int | None = None
    timestamp_ns: int | None = None
    event_id: str | None = None


NOWHERE = At()
"""Of a bare number."""


class Anomaly(msgspec.Struct, frozen=True, gc=False):
    """One value that a method finds out of the ordinary.

    Args:
        method: Canonical name of the method, or `non_finite`.
        metric: What was measured, such as `latency_ms`; empty for a bare sequence.
        value: The value as it came.
        score: How far out it is, in the unit of the method's threshold, > `threshold`; infinite for `non_finite`.
        threshold: The score beyond which a value is flagged; 0 for `non_finite`.
        expected: Lowest and highest value that would not have been flagged (CUSUM: that count as no change at all);
            infinite ends where nothing is known.
        direction: `up` above what was expected, `down` below, `none` for NaN.
        severity: `critical` from twice the threshold on, and for `non_finite`; else `warning`.
        index: Place in the sequence, from 0; non-finite values count.
        step: The value's step.
        timestamp_ns: The value's time.
        event_id: The value's event.
        since: Where the change probably began, an index; for the methods that tell (CUSUM), else None.
        group: Which stream of the metric, such as `req_llm.request.stop`; empty where there is one only.
    """

    method: str
    metric: str
    value: float
    score: float
    threshold: float
    expected: tuple[float, float]
    direction: Direction
    severity: Severity
    index: int
    step: int | None = None
    timestamp_ns: int | None = None
    event_id: str | None = None
    since: int | None = None
    group: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; NaN and infinities stay floats, which `store.encode` keeps."""
        return {**msgspec.structs.asdict(self), "expected": list(self.expected)}


def severity_of(score: float, threshold: float) -> Severity:
    """Return how bad a score is, by its ratio to the threshold."""
    return "critical" if score >= _CRITICAL * threshold else "warning"


def non_finite(value: float, index: int, at: At, *, metric: str = "", group: str = "") -> Anomaly:
    """Return the anomaly of NaN or an infinity.

    Args:
        value: The value.
        index: Its place in the sequence, from 0.
        at: Where it stands.
        metric: What was measured.
        group: Which stream of the metric.
    """
    return Anomaly(
        NON_FINITE,
        metric,
        value,
        math.inf,
        0.0,
        (-math.inf, math.inf),
        "none" if math.isnan(value) else "up" if value > 0 else "down",
        "critical",
        index,
        at.step,
        at.timestamp_ns,
        at.event_id,
        group=group,
    )
