"""What the questions of planning have in common: reading what was asked, and writing the answer."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import msgspec

from crucible.errors import StatsError, TooFewSamples
from crucible.stats.extra import versions
from crucible.stats.planning.design import Alternative, PowerDesign
from crucible.stats.planning.designs import designed
from crucible.stats.planning.margins import Margin
from crucible.stats.planning.planned import Planned, Solved

__all__ = ["answer", "asked_design", "check_share", "sized", "true_effect", "typed"]

_Design = TypeVar("_Design", bound=PowerDesign)


def answer(
    design: PowerDesign,
    solved: Solved,
    size: tuple[int, float],
    alpha: float,
    alternative: str,
    target: float | None = None,
) -> Planned:
    """Return the answer for a design of a size.

    Args:
        design: With all its fields.
        solved: What was solved for.
        size: n, and the true effect.
        alpha: Type-I error rate.
        alternative: Which effects count.
        target: Power that was asked for, if any.
    """
    n, effect = size
    side = typed(alternative)
    margin = design.margin if isinstance(design, Margin) else None
    return Planned(
        design=design.name,
        solved=solved,
        n=n,
        counts=design.counts(n),
        total=design.total(n),
        effect=effect,
        effect_name=design.effect_name,
        power=min(1.0, design.power_at(n, effect, alpha, side)),
        target=target,
        alpha=alpha,
        alternative=side if margin is None else design.name,
        margin=margin,
        method=design.how(side),
        assumptions=design.assumptions,
        versions=versions(),
    )


def asked_design(design: str | PowerDesign, fields: dict[str, Any], alpha: float, alternative: str) -> PowerDesign:
    """Return the design that is asked for.

    Raises:
        StatsError: It is unknown, alpha is out of range, or the design does not know the alternative.
    """
    asked = designed(design, fields)
    check_share("alpha", alpha)
    if isinstance(asked, Margin) and alpha >= 0.5:
        raise StatsError(f"alpha of each one-sided test must be below 1/2, got {alpha!r}")
    if alternative.replace("-", "_") not in asked.alternatives:
        known = ", ".join(asked.alternatives)
        raise StatsError(f'alternative "{alternative}" is unknown to design "{asked.name}"; it knows: {known}')
    return asked


def typed(alternative: str) -> Alternative:
    """Return an alternative that was checked as one of the three words."""
    words: dict[str, Alternative] = {"greater": "greater", "less": "less"}
    return words.get(alternative, "two_sided")


def check_share(name: str, value: float) -> None:
    """Check that a value lies strictly between 0 and 1.

    Raises:
        StatsError: It does not.
    """
    if not 0.0 < value < 1.0:
        raise StatsError(f"{name} must lie between 0 and 1, got {value!r}")


def true_effect(design: PowerDesign, effect: float | None) -> float:
    """Return the effect that is asked about, or the design's usual one.

    Raises:
        StatsError: None was named and the design has no usual one, or it is not finite.
    """
    true = design.usual_effect if effect is None else effect
    if true is None:
        raise StatsError(f'name the effect that matters, as effect=…; for "{design.name}" it is {design.effect_name}')
    if not math.isfinite(true):
        raise StatsError(f"the effect must be a finite number, got {true!r}")
    return float(true)


def sized(design: _Design, n: int | tuple[int, int]) -> tuple[_Design, int]:
    """Return the design with the ratio of two sizes, and the size of the baseline.

    Raises:
        StatsError: A size is no whole number or too large, or the design has one size and two were given.
        TooFewSamples: A size is less than the test needs.
    """
    if isinstance(n, tuple):
        if not hasattr(design, "ratio") or "treatment" not in design.counts(2):
            raise StatsError(f'design "{design.name}" has one size: give n as one number')
        for count in n:
            _check_n(design, count)
        return msgspec.structs.replace(design, ratio=n[1] / n[0]), n[0]
    _check_n(design, n)
    return design, n


def _check_n(design: PowerDesign, n: int) -> None:
    if isinstance(n, bool) or int(n) != n:
        raise StatsError(f"n must be a whole number, got {n!r}")
    if n < design.least_n:
        raise TooFewSamples(f'design "{design.name}" needs n of at least {design.least_n}, got {n}')
    if n > design.most_n:
        raise StatsError(f'design "{design.name}" answers for n up to {design.most_n:,}, got {n:,}')
