"""Wald's sequential probability ratio test: which of two rates is the true one, with as few scores as can be.

Unlike a confidence sequence it needs a second rate to test against, and bounds both errors; it stops by itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Literal, Self

import msgspec

from crucible.errors import StatsError
from crucible.stats.extra import needs_stats
from crucible.stats.parameters import takes_numbers

__all__ = ["Sprt", "SprtDecision", "SprtOutlook"]

_LEFT = 1e-12  # probability of still going on that is neglected
_MOST_STEPS = 2_000_000


class SprtDecision(StrEnum):
    """Where a sequential test stands."""

    GO_ON = "go_on"
    NULL = "null"
    ALTERNATIVE = "alternative"


class SprtOutlook(msgspec.Struct, frozen=True):
    """What a sequential test does at one true rate, exactly.

    Args:
        rate: True rate of successes.
        finds_alternative: Probability that it decides for the alternative.
        expected_n: Mean number of trials until it decides (of paired wins: of pairs that differ).
    """

    rate: float
    finds_alternative: float
    expected_n: float


class Sprt:
    """Sequential test of a rate of successes, or of the treatment's share of the pairs that differ.

    Args:
        null: Rate under the null hypothesis, between 0 and 1. For paired wins 1/2: no difference.
        alternative: Rate to tell it from, between 0 and 1; above `null` or below.
        alpha: Most probability of deciding for the alternative at the null.
        beta: Most probability of deciding for the null at the alternative; 1 - beta is the power.
        bounds: `held` keeps both errors at most as asked, with bounds 1 / alpha and beta on the likelihood ratio;
            `wald` takes Wald's approximate bounds (1 - beta) / alpha and beta / (1 - alpha), a little sooner, whose
            errors `outlook` computes.

    Source:
        Wald (1945), "Sequential tests of statistical hypotheses", Annals of Mathematical Statistics 16(2):117-186.
    """

    @takes_numbers
    def __init__(
        self,
        *,
        null: float = 0.5,
        alternative: float,
        alpha: float = 0.05,
        beta: float = 0.2,
        bounds: Literal["held", "wald"] = "held",
    ) -> None:
        shares = {"null": null, "alternative": alternative, "alpha": alpha, "beta": beta}
        for name, value in shares.items():
            if not 0.0 < value < 1.0:
                raise StatsError(f"{name} must lie between 0 and 1, got {value!r}")
        if null == alternative:
            raise StatsError(f"null and alternative are both {null:g}: no number of scores tells them apart")
        if alpha + beta >= 1.0:
            raise StatsError(f"alpha and beta must sum up below 1, got {alpha!r} and {beta!r}")
        if bounds not in ("held", "wald"):
            raise StatsError(f'bounds must be "held" or "wald", got {bounds!r}')
        self.null, self.alternative, self.alpha, self.beta = null, alternative, alpha, beta
        self.bounds: Literal["held", "wald"] = bounds
        self.successes = self.failures = self.ties = 0
        self._up, self._down = math.log(alternative / null), math.log((1.0 - alternative) / (1.0 - null))
        high = 1.0 / alpha if bounds == "held" else (1.0 - beta) / alpha
        low = beta if bounds == "held" else beta / (1.0 - alpha)
        self._limits = (math.log(low), math.log(high))

    @property
    def n(self) -> int:
        """Trials, or pairs that differ, so far."""
        return self.successes + self.failures

    @property
    def log_ratio(self) -> float:
        """Log of the likelihood ratio of the alternative to the null."""
        return self.successes * self._up + self.failures * self._down

    @property
    def decision(self) -> SprtDecision:
        """Where the test stands now; a decision is final."""
        if self.log_ratio >= self._limits[1]:
            return SprtDecision.ALTERNATIVE
        return SprtDecision.NULL if self.log_ratio <= self._limits[0] else SprtDecision.GO_ON

    @property
    def stop(self) -> bool:
        """Whether the test has decided."""
        return self.decision is not SprtDecision.GO_ON

    def add(self, *scores: float) -> Self:
        """Take in one score of 0 or 1, or the baseline's and the treatment's of one pair (one that agrees is a tie).

        Raises:
            StatsError: A score is neither 0 nor 1, or the test has decided.
        """
        if len(scores) not in (1, 2) or any(score not in (0, 1) for score in scores):
            raise StatsError(f"add takes one score of 0 or 1, or the two of one pair; got {scores!r}")
        if self.stop:
            raise StatsError(
                f"the test decided for the {self.decision} after {self.n}: start another one for new scores"
            )
        if len(scores) == 2 and scores[0] == scores[1]:
            self.ties += 1
        elif scores[-1]:
            self.successes += 1
        else:
            self.failures += 1
        return self

    def update(self, *columns: Iterable[float]) -> Self:
        """Take in a column of scores, or two of the same items, in order, up to where the test decides.

        Raises:
            StatsError: A score is neither 0 nor 1, or two columns differ in length.
        """
        try:
            for scores in zip(*columns, strict=True):
                if self.stop:
                    break
                self.add(*scores)
        except ValueError as error:
            if isinstance(error, StatsError):
                raise
            raise StatsError(f"paired scores must belong to the same items: {error}") from error
        return self

    @needs_stats
    def outlook(self, rate: float) -> SprtOutlook:
        """Return what the test does at a true rate: exact, by following every count from trial to trial.

        At `null` its `finds_alternative` is the type-I error attained; at `alternative` it is the power attained.

        Args:
            rate: True rate of successes, 0 to 1. The worst for the number of trials lies between the two rates.

        Raises:
            StatsError: `rate` is out of range, or the test would take millions of trials.
        """
        import numpy as np

        if not 0.0 <= rate <= 1.0:
            raise StatsError(f"rate must lie from 0 to 1, got {rate!r}")
        first, chances = 0, np.ones(1)  # of counts first, first + 1, … of successes, test going on
        finds = expected = 0.0
        for n in range(1, _MOST_STEPS):
            expected += float(chances.sum())
            grown = np.zeros(len(chances) + 1)
            grown[:-1] += chances * (1.0 - rate)
            grown[1:] += chances * rate
            counts = first + np.arange(len(grown))
            ratio = counts * self._up + (n - counts) * self._down
            finds += float(grown[ratio >= self._limits[1]].sum())
            open_ = np.flatnonzero((ratio > self._limits[0]) & (ratio < self._limits[1]))
            if not len(open_):
                break
            first, chances = first + int(open_[0]), grown[open_[0] : open_[-1] + 1]
            if float(chances.sum()) < _LEFT:
                break
        else:
            raise StatsError(f"{self.null:g} and {self.alternative:g} are too close: the test takes millions of trials")
        return SprtOutlook(rate, min(1.0, finds), expected)

    @property
    def wording(self) -> str:
        """Where the test stands, in one sentence."""
        of = f" ({self.ties} pairs that agree left out)" if self.ties else ""
        states = {
            SprtDecision.GO_ON: f"undecided between a rate of {self.null:g} and of {self.alternative:g}",
            SprtDecision.NULL: f"decided for a rate of {self.null:g} over {self.alternative:g}",
            SprtDecision.ALTERNATIVE: f"decided for a rate of {self.alternative:g} over {self.null:g}",
        }
        errors = f"alpha = {self.alpha:g}, beta = {self.beta:g}"
        return f"After {self.successes} of {self.n}{of}, {states[self.decision]} (Wald's sequential test, {errors})."

    def to_dict(self) -> dict[str, Any]:
        """Return the whole state as JSON data: `from_dict` goes on where it stands."""
        asked = {name: getattr(self, name) for name in ("null", "alternative", "alpha", "beta", "bounds")}
        return {"kind": "sprt", **asked, **{name: getattr(self, name) for name in _COUNTS}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the test that `to_dict` described.

        Raises:
            StatsError: `data` is not the state of a test.
        """
        try:
            test = cls(**{name: data[name] for name in ("null", "alternative", "alpha", "beta", "bounds")})
            for name in _COUNTS:
                setattr(test, name, int(data[name]))
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, StatsError):
                raise
            raise StatsError(f"this is not the whole state of a sequential test: {error!r}") from error
        if min(test.successes, test.failures, test.ties) < 0:
            raise StatsError("this is not the state of a sequential test: a count is below 0")
        return test


_COUNTS = ("successes", "failures", "ties")
