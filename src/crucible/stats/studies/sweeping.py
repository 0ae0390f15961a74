"""A sweep of parameters: the best of many, what cannot be told apart from it, and how far its score is to be trusted.

The best of many is the best partly by luck: its score on the items that it was chosen by is too good (the winner's
curse). Only items that it was not chosen by say how good it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from crucible.errors import StatsError
from crucible.stats.bench.scores import few
from crucible.stats.conditions.design import Design
from crucible.stats.conditions.observations import Condition
from crucible.stats.correction import correct
from crucible.stats.names import canonical_correction
from crucible.stats.rendering.notebook import shown_in_notebooks
from crucible.stats.result import TestResult, Verdict
from crucible.stats.studies.compared import compared
from crucible.stats.studies.condition_mean import ConditionMean, condition_mean
from crucible.stats.wording import decimals_for, show_number, show_percent

__all__ = ["HeldOut", "Sweep", "Trial", "sweep"]


class Trial(msgspec.Struct, frozen=True):
    """One setting of the parameters, and what was measured with it.

    Args:
        parameters: Value by name.
        condition: The measurements.
    """

    parameters: dict[str, str | int | float | bool | None]
    condition: Condition

    @property
    def label(self) -> str:
        """The parameters in words, such as `lr=0.001, rank=8`; the condition's label where there are none."""
        return ", ".join(f"{name}={value}" for name, value in self.parameters.items()) or self.condition.label


class HeldOut(msgspec.Struct, frozen=True):
    """The best setting on items that it was not chosen by.

    Args:
        estimate: Its mean on these items.
        optimism: Its mean in the sweep minus this one: luck, and a difference between the items.
    """

    estimate: ConditionMean
    optimism: float


@shown_in_notebooks
class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep found.

    Args:
        metric: What the scores are called.
        best: Label of the trial with the best mean.
        parameters: Its parameters.
        trials: Every trial by itself, the best first.
        comparisons: Every other trial (treatment) against the best (baseline), in the order of `trials`.
        held_out: The best on items that it was not chosen by; None where there are none.
        higher_is_better: Whether a higher score is the better one.
    """

    metric: str
    best: str
    parameters: dict[str, Any]
    trials: tuple[ConditionMean, ...]
    comparisons: tuple[TestResult, ...]
    held_out: HeldOut | None = None
    higher_is_better: bool = True

    @property
    def tied(self) -> tuple[str, ...]:
        """Trials that were not told apart from the best, the best among them: tied, as far as these items can tell."""
        others = [one.treatment for one in self.comparisons if one.verdict is not Verdict.DIFFERENCE]
        return (self.best, *others)

    @property
    def wording(self) -> str:
        """The best, what ties with it, how far to trust its score, then each comparison."""
        return " ".join([self._told(), *(one.wording for one in self.comparisons)])

    def _told(self) -> str:
        shown = _shown(self.trials[0])
        told = [f"Best of {len(self.trials)} by {self.metric}: {self.best}, {shown}."]
        others = self.tied[1:]
        if others:
            told.append(f"Statistically tied with it, which is no proof of equality: {'; '.join(others)}.")
        elif self.comparisons:
            is_worse = all(one.direction == (-1 if self.higher_is_better else 1) for one in self.comparisons)
            told.append(f"Every other was found {'to be worse' if is_worse else 'to differ from it'}.")
        if len(self.trials) > 1:
            luck = f"it is the best of {len(self.trials)} partly by luck (winner's curse)"
            rest = "" if self.held_out else ", and only items that it was not chosen by say by how much"
            told.append(f"Its mean is optimistically biased: {luck}{rest}.")
        if self.held_out:
            digits = decimals_for(self.held_out.optimism)
            told.append(
                f"On items that it was not chosen by: {_shown(self.held_out.estimate)}, "
                f"{show_number(abs(self.held_out.optimism), digits)} "
                f"{'below' if self.held_out.optimism >= 0 else 'above'} its mean in the sweep."
            )
        return " ".join(told)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        held = self.held_out
        return {
            "study": "Sweep",
            "metric": self.metric,
            "best": self.best,
            "parameters": dict(self.parameters),
            "better": "higher" if self.higher_is_better else "lower",
            "tied": list(self.tied),
            "trials": [{**one.to_dict(), "tied": one.label in self.tied} for one in self.trials],
            "comparisons": [one.to_dict() for one in self.comparisons],
            "held_out": None if held is None else [{**held.estimate.to_dict(), "optimism": held.optimism}],
            "wording": self.wording,
        }


def sweep(
    trials: Sequence[Trial] | Mapping[str, Condition],
    *,
    higher_is_better: bool = True,
    held_out: Condition | Mapping[str, Condition] | None = None,
    design: Design | None = None,
) -> Sweep:
    """Find the best of several settings, and compare every other with it.

    The best is chosen by the same scores that it is compared by, so its comparisons are corrected as what they are: the
    k - 1 that were looked at among all k (k - 1) / 2 that could have been.

    Args:
        trials: Settings with their conditions, or conditions by label; at least 1.
        higher_is_better: Whether a higher score is the better one.
        held_out: Measurements of the best setting on other items, or of several settings by label; the best is looked
            up among them.
        design: How to compare, and the correction; the defaults of `Design` if absent.

    Raises:
        StatsError: There are no trials, two are called the same, the metrics differ, a pair cannot be compared, or the
            held-out items are not other items.
        TooFewSamples: A trial has too few scores.
        DegenerateSample: Scores do not vary where the test needs it.
    """
    design = design or Design()
    named = _named(trials)
    means = {label: condition_mean(one.condition, design) for label, one in named.items()}
    sign = -1.0 if higher_is_better else 1.0
    first, *others = sorted(named, key=lambda label: sign * means[label].mean)
    best = named[first]
    results = [compared(best.condition, named[one].condition, design, f"{one} against {first}") for one in others]
    return Sweep(
        metric=best.condition.metric,
        best=first,
        parameters=dict(best.parameters),
        trials=tuple(means[label] for label in (first, *others)),
        comparisons=_corrected(results, len(named), canonical_correction(design.correction)),
        held_out=_held_out(held_out, best.condition, means[first], design),
        higher_is_better=higher_is_better,
    )


def _named(trials: Sequence[Trial] | Mapping[str, Condition]) -> dict[str, Trial]:
    """Return trials by label, their conditions called by it."""
    if isinstance(trials, Mapping):
        given = [(label, Trial({}, condition)) for label, condition in trials.items()]
    else:
        given = [(trial.label, trial) for trial in trials]
    if not given:
        raise StatsError("a sweep needs at least one trial")
    found: dict[str, Trial] = {}
    for label, trial in given:
        if label in found:
            raise StatsError(f'two trials are called "{label}": their parameters must differ')
        found[label] = Trial(trial.parameters, msgspec.structs.replace(trial.condition, label=label))
    if len(metrics := {trial.condition.metric for trial in found.values()}) > 1:
        raise StatsError(f"the trials were measured by different metrics: {', '.join(sorted(metrics))}")
    return found


def _corrected(results: list[TestResult], trials: int, correction: str) -> tuple[TestResult, ...]:
    """Correct the comparisons with the best for all pairs there are; those not looked at count as p = 1.

    All of these corrections only grow with the p-values, so that the ones in place of those not made are on the safe
    side.
    """
    pairs = trials * (trials - 1) // 2
    if correction == "none" or pairs < 2:
        return tuple(results)
    adjusted = correct([*(one.p for one in results), *[1.0] * (pairs - len(results))], correction)
    chosen = f"the best was chosen by these scores: corrected for all {pairs} pairs of {trials} trials"
    return tuple(
        msgspec.structs.replace(
            one, p_adjusted=p, correction=correction, comparisons=pairs, assumptions=(*one.assumptions, chosen)
        )
        for one, p in zip(results, adjusted[: len(results)], strict=True)
    )


def _held_out(
    given: Condition | Mapping[str, Condition] | None,
    best: Condition,
    seen: ConditionMean,
    design: Design,
) -> HeldOut | None:
    if given is None:
        return None
    if isinstance(given, Mapping):
        if best.label not in given:
            raise StatsError(f'the best is "{best.label}", and the held-out measurements have none of it: evaluate it')
        given = given[best.label]
    if given.metric != best.metric:
        raise StatsError(f"the held-out items were measured by {given.metric}, and the trials by {best.metric}")
    if best.by_item and (common := sorted(set(best.items) & set(given.items))):
        raise StatsError(
            f"{len(common)} held-out items were in the sweep ({few(common)}): the best was chosen by them, so they say "
            "nothing new; give other items"
        )
    found = condition_mean(msgspec.structs.replace(given, label=best.label), design)
    return HeldOut(found, seen.mean - found.mean)


def _shown(one: ConditionMean) -> str:
    interval = one.interval
    ends = () if interval is None else (interval.low, interval.high)
    digits = decimals_for(one.mean, *ends)
    mean = f"mean {show_number(one.mean, digits)}"
    if interval is None:
        return f"{mean} over {one.n} items"
    low, high = show_number(interval.low, digits), show_number(interval.high, digits)
    return f"{mean} ({show_percent(interval.level)} interval {low} to {high}, {one.n} items)"
