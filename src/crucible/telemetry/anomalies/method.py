"""What all methods share: options with a threshold, a detector for a stream, and `detect` for a whole sequence.

A method brings its options and a scorer, which sees finite numbers only. Whatever is no number becomes a `non_finite`
anomaly here, before any scorer could learn from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite
from typing import ClassVar, NamedTuple, Protocol

from pydantic import Field

from crucible.errors import SpecError
from crucible.ir import Model
from crucible.telemetry.anomalies.anomaly import NOWHERE, Anomaly, At, non_finite, severity_of
from crucible.telemetry.anomalies.spread import clipped

__all__ = ["Detector", "Finding", "Method", "Scorer"]


class Finding(NamedTuple):
    """What a scorer says of a value beyond the threshold.

    Args:
        score: How far out, in the unit of the threshold.
        low: Lowest value that would not have been flagged.
        high: Highest value that would not have been flagged.
        is_up: Whether the value is above what was expected.
        back: How many values ago the change began; None if the method does not tell.
    """

    score: float
    low: float
    high: float
    is_up: bool
    back: int | None = None


class Scorer(Protocol):
    """What a method knows of a stream; its memory is bounded."""

    def update(self, value: float) -> Finding | None:
        """Look at the next value, learn from it, and say whether it is out of the ordinary."""
        ...

    def skip(self) -> None:
        """Let a place pass whose value is no number."""
        ...


class Detector:
    """Watches one stream by one method; holds as many values as the method's window.

    Args:
        method: The method with its options.
        metric: What is measured.
        group: Which stream of the metric.
    """

    __slots__ = ("_count", "_scorer", "_update", "group", "method", "metric")

    def __init__(self, method: Method, metric: str = "", group: str = "") -> None:
        self.method = method
        self.metric = metric
        self.group = group
        self._scorer = method.scorer()
        self._update: Callable[[float], Finding | None] = self._scorer.update
        self._count = 0

    def update(self, value: float, at: At = NOWHERE) -> Anomaly | None:
        """Look at the next value.

        Args:
            value: Any float; NaN and infinities are flagged and not learned from.
            at: Where it stands.

        Returns:
            The anomaly, None for an ordinary value. While the method warms up every number is ordinary.
        """
        index = self._count
        self._count = index + 1
        if not isfinite(value):
            self._scorer.skip()
            return non_finite(value, index, at, metric=self.metric, group=self.group)
        finding = self._update(clipped(value))
        return None if finding is None else self.flagged(finding, value, index, at)

    def flagged(self, finding: Finding, value: float, index: int, at: At) -> Anomaly:
        """Return the anomaly of what a scorer found."""
        threshold = self.method.threshold
        return Anomaly(
            self.method.name,
            self.metric,
            value,
            finding.score,
            threshold,
            (finding.low, finding.high),
            "up" if finding.is_up else "down",
            severity_of(finding.score, threshold),
            index,
            at.step,
            at.timestamp_ns,
            at.event_id,
            None if finding.back is None else index - finding.back,
            self.group,
        )


class Method(Model):
    """A way of telling what is out of the ordinary, with its options."""

    name: ClassVar[str] = ""
    is_causal: ClassVar[bool] = True
    """Whether `detect` finds exactly what a detector finds in the same values one by one."""

    threshold: float = Field(gt=0, description="Score beyond which a value is flagged.")
    min_samples: int = Field(ge=2, description="Finite values before the first one that can be flagged.")

    def scorer(self) -> Scorer:
        """Return what looks at a stream, with nothing learned yet."""
        raise NotImplementedError

    def detector(self, metric: str = "", group: str = "") -> Detector:
        """Return a detector for a stream.

        Args:
            metric: What is measured.
            group: Which stream of the metric.
        """
        return Detector(self, metric, group)

    def detect(
        self,
        values: Iterable[float],
        *,
        at: Sequence[At] | None = None,
        steps: Sequence[int | None] | None = None,
        timestamps_ns: Sequence[int | None] | None = None,
        metric: str = "",
        group: str = "",
    ) -> list[Anomaly]:
        """Return what is out of the ordinary in a whole sequence, in its order.

        Args:
            values: Any floats; NaN and infinities are flagged and otherwise ignored.
            at: Where each value stands; instead of `steps` and `timestamps_ns`.
            steps: Step of each value.
            timestamps_ns: Wall clock of each value, nanoseconds since 1970-01-01 UTC.
            metric: What is measured.
            group: Which stream of the metric.

        Raises:
            SpecError: `at`, `steps` or `timestamps_ns` is not as long as the values.
        """
        numbers = [float(value) for value in values]
        places = _places(len(numbers), at, steps, timestamps_ns)
        detector = self.detector(metric, group)
        if self.is_causal:
            found = map(detector.update, numbers, places) if places else map(detector.update, numbers)
            return [anomaly for anomaly in found if anomaly is not None]
        finite = [(index, clipped(value)) for index, value in enumerate(numbers) if isfinite(value)]
        flagged = {finite[index][0]: finding for index, finding in self._among([value for _, value in finite])}
        if len(finite) < len(numbers):
            flagged |= {index: None for index, value in enumerate(numbers) if not isfinite(value)}
        anomalies: list[Anomaly] = []
        for index in sorted(flagged):
            finding, value, place = flagged[index], numbers[index], places[index] if places else NOWHERE
            if finding is None:
                anomalies.append(non_finite(value, index, place, metric=metric, group=group))
            else:
                anomalies.append(detector.flagged(finding, value, index, place))
        return anomalies

    def _among(self, values: list[float]) -> Iterator[tuple[int, Finding]]:
        """Yield index and finding of what is out of the ordinary among all; for methods that are not causal."""
        raise NotImplementedError


def _places(
    count: int,
    at: Sequence[At] | None,
    steps: Sequence[int | None] | None,
    timestamps_ns: Sequence[int | None] | None,
) -> Sequence[At]:
    for name, given in (("at", at), ("steps", steps), ("timestamps_ns", timestamps_ns)):
        if given is not None and len(given) != count:
            raise SpecError(f"{name} must have one entry a value: {count}, got {len(given)}", path=name, code="length")
    if at is not None:
        return at
    if steps is None and timestamps_ns is None:
        return ()
    nothing = [None] * count
    return [At(step, time) for step, time in zip(steps or nothing, timestamps_ns or nothing, strict=True)]
