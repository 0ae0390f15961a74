"""Finding the one number that is missing: the smallest n, effect, alpha or margin at which the power is reached."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from crucible.errors import StatsError
from crucible.stats.planning.design import Alternative, PowerDesign
from crucible.stats.planning.margins import Margin
from crucible.stats.wording import show_percent

__all__ = ["SETTLED_OVER", "smallest_alpha", "smallest_effect", "smallest_margin", "smallest_n"]

SETTLED_OVER = 50
"""Sizes further on at which the power of a design that moves in steps must still be reached."""


def smallest_n(design: PowerDesign, effect: float, target: float, alpha: float, alternative: Alternative) -> int:
    """Return the smallest size with the power; where power moves in steps, from which on it stays (checked 50 ahead).

    Raises:
        StatsError: The effect is never found, or needs more than the design can answer for.

    Source:
        On steps: Chernick & Liu (2002), The American Statistician 56(2):149-155.
    """
    design.check_effect(effect, alternative)

    def reaches(n: int) -> bool:
        return design.power_at(n, effect, alpha, alternative) >= target

    low, high = design.least_n - 1, design.least_n
    while not reaches(high):
        if high >= design.most_n:
            raise StatsError(
                f"{show_percent(target)} power for an effect of {effect:g} needs more than {design.most_n:,} "
                f"({design.how(alternative)}): plan for a larger effect"
            )
        low, high = high, min(2 * high, design.most_n)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    if not design.is_stepped:
        return high
    last = high
    n = high + 1
    while n <= min(last + SETTLED_OVER, design.most_n):
        if not reaches(n):
            last = n + 1
        n += 1
    return last


def smallest_effect(design: PowerDesign, n: int, target: float, alpha: float, alternative: Alternative) -> float:
    """Return the smallest effect with the power; positive, or negative for `less`.

    Raises:
        StatsError: Not even the largest effect that exists is found as often; the message says what n would.
    """
    sign = -1.0 if alternative == "less" else 1.0

    def excess(size: float) -> float:
        return design.power_at(n, sign * size, alpha, alternative) - target

    largest = design.largest_effect(alternative)
    if math.isfinite(largest):
        if excess(largest) < 0.0:
            _refuse_effect(design, n, sign * largest, (target, alpha), alternative)
        return sign * _root(excess, 0.0, largest)
    high = 1e-6
    while excess(high) < 0.0:
        high *= 4.0
        if high > 1e12:
            raise StatsError(f"with n = {n} no effect is found with {show_percent(target)} power at alpha = {alpha:g}")
    return sign * _root(excess, 0.0, high)


def _refuse_effect(
    design: PowerDesign, n: int, largest: float, asked: tuple[float, float], alternative: Alternative
) -> None:
    target, alpha = asked
    reached = design.power_at(n, largest, alpha, alternative)
    needed = smallest_n(design, largest, target, alpha, alternative)
    raise StatsError(
        f"with n = {n} not even the largest effect that exists ({largest:+.4g}) is found with {show_percent(target)} "
        f"power: it has {show_percent(round(reached, 4))}, and n = {needed} would be needed ({design.how(alternative)})"
    )


def smallest_alpha(design: PowerDesign, n: int, effect: float, target: float, alternative: Alternative) -> float:
    """Return the smallest alpha with the power, to 12 digits.

    Raises:
        StatsError: The effect is never found, or only at an alpha of 1/2 or more.
    """
    design.check_effect(effect, alternative)

    def reaches(log_alpha: float) -> bool:
        return design.power_at(n, effect, math.exp(log_alpha), alternative) >= target

    high = math.log(0.5) - 1e-12
    if not reaches(high):
        raise StatsError(
            f"with n = {n} an effect of {effect:g} is not found with {show_percent(target)} power at any alpha below "
            "1/2: take more items"
        )
    low = math.log(1e-300)
    if reaches(low):
        raise StatsError(f"with n = {n} an effect of {effect:g} is found at any alpha down to 1e-300")
    while high - low > 1e-13 * abs(high):
        middle = (low + high) / 2.0
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return math.exp(high)


def smallest_margin(design: Margin, n: int, effect: float, target: float, alpha: float) -> Margin:
    """Return the design with the smallest margin that has the power.

    Raises:
        StatsError: No margin below 1 is enough for shares.
    """

    def with_margin(margin: float) -> Margin:
        return msgspec.structs.replace(design, margin=margin)

    def excess(margin: float) -> float:
        return with_margin(margin).power_at(n, effect, alpha, "two_sided") - target

    low, high = 1e-12, 1e-6
    most = math.inf if design.discordant is None else 1.0 - 1e-9
    while excess(min(high, most)) < 0.0:
        if high > min(most, 1e12):
            raise StatsError(f"with n = {n} no margin is shown with {show_percent(target)} power: take more items")
        high *= 2.0
    if not design.is_stepped:
        return with_margin(_root(excess, low, min(high, most)))
    high = min(high, most)
    while high - low > 1e-9 * high:
        middle = (low + high) / 2.0
        low, high = (low, middle) if excess(middle) >= 0.0 else (middle, high)
    return with_margin(high)


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Return where a continuous function that rises passes 0."""
    from scipy import optimize

    if rising(low) >= 0.0:
        raise StatsError("the power asked for is reached without any effect: ask for a power above alpha")
    return float(optimize.brentq(rising, low, high, xtol=1e-15, rtol=1e-14))
