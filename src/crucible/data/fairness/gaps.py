"""The gaps between groups: intervals that hold for all of them together, tests that are corrected, and the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import comb

import msgspec

from crucible.data.fairness.measures import UNDER
from crucible.data.fairness.result import Gap, GroupRate
from crucible.data.fairness.rules import FairnessRules, Judgement
from crucible.errors import StatsError
from crucible.ir import Interval
from crucible.stats import compare, correct, mean_interval, risk_ratio, wilson

__all__ = ["Columns", "gaps_of", "rates_of"]

Columns = Mapping[str, Sequence[float]]


def rates_of(measure: str, columns: Columns, rules: FairnessRules) -> list[GroupRate]:
    """Return one measure of each group, with its interval.

    Args:
        measure: One of `UNDER`.
        columns: Its values by group.
        rules: How groups are compared.
    """
    is_share = _is_share(columns)
    return [_rate(measure, group, values, rules, is_share=is_share) for group, values in columns.items()]


def _rate(measure: str, group: str, values: Sequence[float], rules: FairnessRules, *, is_share: bool) -> GroupRate:
    n = len(values)
    if not n:
        note = f"undefined: no {UNDER[measure]}"
        return GroupRate(measure, group, 0, None, None, judged=False, note=note)
    interval, notes = None, list[str]()
    try:
        interval = wilson(int(sum(values)), n, level=rules.level) if is_share else mean_interval(values, rules.level)
    except StatsError as error:
        notes.append(str(error))
    judged = n >= rules.min_group_size
    if not judged:
        notes.append(f"not judged: {n} {UNDER[measure]}, and {rules.min_group_size} are needed")
    return GroupRate(measure, group, n, sum(values) / n, interval, judged, "; ".join(notes))


def gaps_of(measured: Mapping[str, Columns], rates: Sequence[GroupRate], rules: FairnessRules) -> list[Gap]:
    """Return the gaps of all measures between all pairs of judged groups, corrected for each other.

    Args:
        measured: Columns by measure.
        rates: What `rates_of` says of them.
        rules: How groups are compared.
    """
    judged = {name: [one.group for one in rates if one.measure == name and one.judged] for name in measured}
    family = sum(comb(len(groups), 2) for groups in judged.values())
    level = 1.0 - (1.0 - rules.level) / max(1, family)  # Bonferroni: all intervals together hold at the rules' level
    found: list[Gap] = []
    for measure, columns in measured.items():
        is_share = _is_share(columns)
        for pair in combinations(judged[measure], 2):
            gap = _gap(measure, pair, columns, level, is_share=is_share)
            found.append(_judged(gap, rules))
    tested = [one.p for one in found if one.p is not None]
    adjusted = iter(correct(tested, rules.correction))
    return [one if one.p is None else msgspec.structs.replace(one, p_adjusted=next(adjusted)) for one in found]


def _gap(measure: str, pair: tuple[str, str], columns: Columns, level: float, *, is_share: bool) -> Gap:
    base, treated = (columns[group] for group in pair)
    try:
        result = compare(list(base), list(treated), level=level, is_share=is_share)
    except StatsError as error:
        return Gap(measure, *pair, sum(treated) / len(treated) - sum(base) / len(base), note=str(error))
    gap = Gap(
        measure,
        *pair,
        difference=result.difference,
        interval=result.interval,
        p=result.p,
        test=result.name,
    )
    if not is_share:
        return gap
    counts = sorted(((int(sum(values)), len(values)) for values in (base, treated)), key=lambda c: c[0] / c[1])
    (few, n), (many, m) = counts
    if many == 0:
        return msgspec.structs.replace(gap, note="the ratio is undefined: both rates are 0")
    ratio = risk_ratio(many, m, few, n, level=level)
    return msgspec.structs.replace(gap, ratio=ratio.value, ratio_interval=ratio.interval)


def _judged(gap: Gap, rules: FairnessRules) -> Gap:
    """Return a gap with its judgement by the limit."""
    limit = rules.threshold
    if limit is None or gap.difference is None:
        return gap
    if rules.limit_as == "difference":
        if gap.interval is None:
            return gap
        judgement = _by_difference(gap.difference, gap.interval, limit)
        return msgspec.structs.replace(gap, judgement=judgement)
    if gap.ratio is None or gap.ratio_interval is None:
        note = gap.note or "the limit is one of a ratio of rates, and this measure is no rate"
        return msgspec.structs.replace(gap, note=note)
    low, high = gap.ratio_interval.low, gap.ratio_interval.high
    if high < limit:
        judgement = Judgement.CLEAR
    elif gap.ratio < limit:
        judgement = Judgement.POSSIBLE
    else:
        judgement = Judgement.WITHIN if low >= limit and high <= 1.0 / max(limit, 1e-300) else Judgement.NONE_FOUND
    return msgspec.structs.replace(gap, judgement=judgement)


def _by_difference(difference: float, interval: Interval, limit: float) -> Judgement:
    if interval.low > limit or interval.high < -limit:
        return Judgement.CLEAR
    if abs(difference) > limit:
        return Judgement.POSSIBLE
    return Judgement.WITHIN if -limit <= interval.low and interval.high <= limit else Judgement.NONE_FOUND


def _is_share(columns: Columns) -> bool:
    """Tell whether a measure is a share: all of its values are 0 or 1."""
    return all(value in (0.0, 1.0) for values in columns.values() for value in values)
