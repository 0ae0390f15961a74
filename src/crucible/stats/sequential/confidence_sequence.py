"""What all confidence sequences share: evidence that may be looked at after every score, and a state that can be kept.

A confidence sequence is an interval that holds the truth at *all* times at once with probability 1 - alpha, and its
p-value is valid whenever one stops, for whatever reason. Looking early costs width, not validity.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from crucible.errors import StatsError
from crucible.ir import Interval
from crucible.stats.parameters import check_number, takes_numbers
from crucible.stats.wording import decimals_for, show_number, show_p, show_percent

__all__ = ["ConfidenceSequence"]


class ConfidenceSequence(ABC):
    """An interval and a p-value that stay valid however often they are looked at; see the classes that derive from it.

    Args:
        null: The value that `p` and `stop` speak of, such as a difference of 0.
        alpha: Probability that the interval ever leaves out the truth, or `stop` ever comes up under the null.
    """

    kind: ClassVar[str] = ""
    unit: ClassVar[str] = "scores"
    kinds: ClassVar[dict[str, type[ConfidenceSequence]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        ConfidenceSequence.kinds[cls.kind] = cls

    @takes_numbers
    def __init__(self, *, null: float, alpha: float) -> None:
        if not 0.0 < alpha < 1.0:
            raise StatsError(f"alpha must lie between 0 and 1, got {alpha!r}")
        if not math.isfinite(null):
            raise StatsError(f"null must be a finite number, got {null!r}")
        self.null = float(null)
        self.alpha = float(alpha)
        self._most_evidence = 0.0  # largest log of the e-value so far
        self._low, self._high = -math.inf, math.inf
        self._is_torn = False

    @property
    @abstractmethod
    def n(self) -> int:
        """How many scores or pairs came in."""

    @property
    @abstractmethod
    def estimate(self) -> float:
        """What the interval is about, estimated from the scores so far; `null` before the first."""

    @abstractmethod
    def _take(self, value: float) -> None:
        """Take one score in and record the evidence and the limits that it leads to."""

    @property
    @abstractmethod
    def _method(self) -> str:
        """How the interval is made."""

    @property
    @abstractmethod
    def _about(self) -> str:
        """What the interval is about."""

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """Return the fields and counts of the class, as JSON data."""

    @classmethod
    @abstractmethod
    def restored(cls, state: Mapping[str, Any]) -> Self:
        """Return a sequence of this kind with the fields and counts of a state; `from_dict` calls it."""

    def resume(self, state: Mapping[str, Any]) -> None:
        """Take over the evidence and the limits of a state; `from_dict` calls it."""
        low, high = state["limits"]
        self._low = -math.inf if low is None else float(low)
        self._high = math.inf if high is None else float(high)
        self._most_evidence = float(state["most_evidence"])
        self._is_torn = bool(state["is_torn"])

    def add(self, *scores: float) -> Self:
        """Take in one score, or the two scores of one pair, of which treatment minus baseline counts.

        Args:
            scores: `score`, or `baseline, treatment`.

        Raises:
            StatsError: A score is no finite number or out of range.
        """
        if len(scores) not in (1, 2):
            raise StatsError(
                f"add takes one score, or the baseline's and the treatment's of one pair; got {len(scores)}"
            )
        for score in scores:
            check_number(score, f"score {self.n + 1}")
        value = float(scores[0] if len(scores) == 1 else scores[1] - scores[0])
        if not math.isfinite(value):
            raise StatsError(f"score {self.n + 1} is {value}: drop the item, or give it a score, before adding")
        self._take(value)
        return self

    def update(self, *columns: Iterable[float]) -> Self:
        """Take in a column of scores in their order, or a baseline's and a treatment's of the same items.

        Raises:
            StatsError: A score is no finite number or out of range, or two columns differ in length; the scores before
                it are in.
        """
        try:
            for scores in zip(*columns, strict=True):
                self.add(*scores)
        except ValueError as error:
            if isinstance(error, StatsError):
                raise
            raise StatsError(f"paired scores must belong to the same items: {error}") from error
        return self

    @property
    def p(self) -> float:
        """The always-valid p-value: the smallest so far, 1 before there is evidence."""
        return min(1.0, math.exp(-self._most_evidence))

    @property
    def stop(self) -> bool:
        """Whether the null may be called wrong now, at `alpha`; once true, it stays."""
        return self.p <= self.alpha

    @property
    def interval(self) -> Interval:
        """What all intervals up to now have in common; without end where there is too little to say.

        Where they have nothing in common (the mean moved while one looked, or the rare event of probability alpha
        happened) it is the newest one, and its method says so.
        """
        method = self._method + ("; earlier intervals have nothing in common with it" if self._is_torn else "")
        return Interval(self._low, self._high, round(1.0 - self.alpha, 12), method)

    @property
    def wording(self) -> str:
        """What is known now, in one sentence."""
        interval = self.interval
        finite = [value for value in (self.estimate, interval.low, interval.high) if math.isfinite(value)]
        digits = decimals_for(*finite)
        low, high = (show_number(end, digits) if math.isfinite(end) else "?" for end in (interval.low, interval.high))
        verdict = f"differs from {self.null:g}" if self.stop else f"was not shown to differ from {self.null:g} so far"
        level, estimate = show_percent(interval.level), show_number(self.estimate, digits)
        return (
            f"After {self.n} {self.unit}, {self._about} {verdict}: {estimate} ({level} confidence sequence {low} to "
            f"{high}; always-valid {show_p(self.p, self.alpha)})."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the whole state as JSON data: `from_dict` goes on where it stands."""
        limits = [None if math.isinf(end) else end for end in (self._low, self._high)]
        shared = {"null": self.null, "alpha": self.alpha, "most_evidence": self._most_evidence, "limits": limits}
        return {"kind": self.kind, **shared, "is_torn": self._is_torn, **self._state()}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> ConfidenceSequence:
        """Return the sequence that `to_dict` described, of whatever kind it is.

        Raises:
            StatsError: `data` is not the state of a sequence.
        """
        kind = ConfidenceSequence.kinds.get(str(data.get("kind")))
        if kind is None:
            known = ", ".join(sorted(filter(None, ConfidenceSequence.kinds)))
            raise StatsError(f"unknown kind of confidence sequence {data.get('kind')!r}; known: {known}")
        try:
            sequence = kind.restored(data)
            sequence.resume(data)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, StatsError):
                raise
            raise StatsError(f"this is not the whole state of a confidence sequence: {error!r}") from error
        return sequence

    def _record(self, evidence: float, low: float, high: float) -> None:
        """Keep the evidence (log of an e-value) if it is the most so far, and narrow the interval."""
        self._most_evidence = max(self._most_evidence, evidence)
        if self._is_torn or max(low, self._low) > min(high, self._high):
            self._is_torn, self._low, self._high = True, low, high
        else:
            self._low, self._high = max(low, self._low), min(high, self._high)
