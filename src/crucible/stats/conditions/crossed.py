"""Items x prompts: the same prompts for many items, and the t-test that takes both for samples of what there is.

Prompts shift all items alike, so that a hundred items under three prompts are, for a claim about further prompts, three
measurements of the prompt. Every item still counts once in the mean; what changes is how sure the mean is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from crucible.errors import DegenerateSample, StatsError, TooFewSamples
from crucible.ir import Interval
from crucible.stats.bench.scores import FailurePolicy, few
from crucible.stats.comparing.matching import Unmatched
from crucible.stats.conditions.observations import Condition
from crucible.stats.extra import needs_stats, versions
from crucible.stats.intervals.level import level_of
from crucible.stats.intervals.two_way import two_way_variance
from crucible.stats.result import Effect, TestResult
from crucible.stats.sample import paired_columns
from crucible.stats.significance.tdist import critical_t, two_sided_p

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["CROSSED_TESTS", "Cells", "crossed_cells", "crossed_paired", "takes_prompts"]

CROSSED_TESTS = ("auto", "ttest", "t_test", "clustered_ttest", "crossed_ttest")
"""Words for the t-test of items x prompts; any other test is made of item means, for these prompts alone."""

_FEW_PROMPTS = 10

Cell = tuple[str, str]


class Cells(msgspec.Struct, frozen=True):
    """What two conditions measured of the same items under the same prompts.

    Args:
        baseline: Score by (item, prompt), the mean of its repeats.
        treatment: Score by the same.
        lost: What is to be said of cells that are not compared, in clauses.
    """

    baseline: dict[Cell, float]
    treatment: dict[Cell, float]
    lost: tuple[str, ...]


def takes_prompts(test: str) -> bool:
    """Return whether a test's name means the t-test of items x prompts where there are such."""
    return test.strip().lower().replace("-", "_").replace(" ", "_") in CROSSED_TESTS


def crossed_cells(
    baseline: Condition, treatment: Condition, failures: FailurePolicy | str, unmatched: Unmatched | str
) -> Cells | None:
    """Return the cells of two conditions whose prompts cross their items; None where they do not.

    They do where, on both sides, an item was asked under several prompts and a prompt was asked of several items.

    Args:
        baseline: What is compared against.
        treatment: What is compared.
        failures: What a failed measurement counts as.
        unmatched: What becomes of prompts that only one side has.

    Raises:
        StatsError: A side has a prompt that the other has not and such are refused, or a measurement failed under
            `abort`.
    """
    here, there = ({(one.item, one.prompt): None for one in side.observations} for side in (baseline, treatment))
    common = [cell for cell in here if cell in there]
    by_item, by_prompt = Counter(item for item, _ in common), Counter(prompt for _, prompt in common)
    if max(by_item.values(), default=0) < 2 or max(by_prompt.values(), default=0) < 2:
        return None
    told: list[str] = []
    for side, cells in ((baseline, here), (treatment, there)):
        if only := [prompt for prompt in dict.fromkeys(prompt for _, prompt in cells) if prompt not in by_prompt]:
            told.append(f"{len(only)} only in {side.label} ({few(only)})")
    if told and unmatched == Unmatched.REFUSE:
        raise StatsError(
            f"the conditions were not asked under the same prompts: {'; '.join(told)}; evaluate both under the same "
            "prompts, or drop what only one side has"
        )
    x, y = baseline.cell_means(failures), treatment.cell_means(failures)
    kept = [cell for cell in common if cell in x and cell in y]
    items = {item for item, _ in here} & {item for item, _ in there}
    cells = sum(item in items and prompt in by_prompt for item, prompt in here.keys() | there.keys())
    lost = [f"prompts that one side has not were dropped ({' and '.join(told)})"] if told else []
    if len(kept) < cells:
        lost.append(f"{cells - len(kept)} of {cells} item-prompt pairs were left out for want of a score on both sides")
    return Cells({cell: x[cell] for cell in kept}, {cell: y[cell] for cell in kept}, tuple(lost))


@needs_stats
def crossed_paired(
    baseline: Mapping[Cell, float],
    treatment: Mapping[Cell, float],
    clusters: Mapping[str, str] | None = None,
    *,
    alpha: float = 0.05,
    level: float | None = None,
) -> TestResult:
    """Compare two columns of scores of the same items under the same prompts, both of which are samples.

    The difference is the mean over items, each with the mean over its prompts. Its standard error is two-way clustered,
    and the degrees of freedom are those of the fewer: with few prompts the interval is wide, and the test rather finds
    too little than too much.

    Args:
        baseline: Score by (item, prompt).
        treatment: Score by (item, prompt), of the same.
        clusters: Cluster by item, where items come in clusters: they take the place of the items in the standard error.
        alpha: Type-I error rate of the verdict.
        level: Level of the interval; None: 1 - alpha.

    Raises:
        StatsError: A score is no finite number, or keys do not match.
        TooFewSamples: There are fewer than two items, clusters or prompts.
        DegenerateSample: The differences vary neither between items nor between prompts.

    Source:
        Cameron, Gelbach & Miller (2011), Journal of Business & Economic Statistics 29(2):238-249; prompts as a sample:
        Clark (1973), Journal of Verbal Learning and Verbal Behavior 12(4):335-359; degrees of freedom: Cameron & Miller
        (2015), Journal of Human Resources 50(2):317-372, section V.
    """
    import numpy as np

    level = level_of(alpha, level)
    x, y = paired_columns(baseline, treatment)  # (n,) each, one a cell
    item, prompt = (_codes([cell[axis] for cell in baseline]) for axis in (0, 1))
    items, prompts = int(item.max()) + 1, int(prompt.max()) + 1
    first = _codes([clusters[cell[0]] for cell in baseline]) if clusters else item
    groups, kind = int(first.max()) + 1, "clusters" if clusters else "items"
    if min(groups, prompts) < 2:
        raise TooFewSamples(
            f"{groups} {kind} and {prompts} prompts have scores on both sides, and a comparison of both needs 2 of each"
        )
    weights = 1.0 / (items * np.bincount(item)[item])  # (n,): each item once
    differences = y - x
    shift = float(differences[0])
    shifted = differences - shift
    center = float(weights @ shifted)
    variance, said = two_way_variance(weights * (shifted - center), first, prompt, (kind, "prompts"))
    error, n, mean = math.sqrt(variance), len(x), shift + center
    if error <= 1e-13 * max(float(abs(x).max()), float(abs(y).max())):
        raise DegenerateSample(f"the differences of {items} items under {prompts} prompts do not vary: {mean:.6g} each")
    df = min(groups, prompts) - 1.0
    t, width = mean / error, critical_t(df, level) * error
    single = math.sqrt(float(weights @ (shifted - center) ** 2) * n / (n - 1.0))
    grouped = f" in {groups} clusters" if clusters else ""
    return TestResult(
        name="crossed_ttest",
        statistic=t,
        df=df,
        p=two_sided_p(t, df),
        difference=mean,
        interval=Interval(mean - width, mean + width, level, "two-way cluster-robust t"),
        effect=Effect("cohens_dz", mean / single),
        n=items,
        counts={"pairs": items, "prompts": prompts, "cells": n, **({"clusters": groups} if clusters else {})},
        assumptions=(
            f"the two scores of a pair belong to the same item and prompt, and {kind} and prompts are samples, each "
            "independent of the others, of those that the claim is about",
            *_enough(prompts, groups, kind),
        ),
        method=(
            f"t-test of the paired differences of {items} items{grouped} under {prompts} prompts, with two-way "
            f"cluster-robust (CR1) standard error of {kind} and prompts and {df:.0f} degrees of freedom (the fewer, "
            f"minus 1), Cohen's dz of single item-prompt pairs without interval{'; ' if said else ''}{said}; chosen "
            "because every prompt is asked of many items"
        ),
        alpha=alpha,
        versions=versions(),
        baseline_mean=float(weights @ x),
        treatment_mean=float(weights @ y),
    )


def _codes(names: list[str]) -> npt.NDArray[np.intp]:
    import numpy as np

    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.intp)


def _enough(prompts: int, groups: int, kind: str) -> tuple[str, ...]:
    told = (
        f"the means of {kind} and of prompts are roughly normal, or {groups} and {prompts} are enough for theirs to be"
    )
    if prompts >= _FEW_PROMPTS:
        return (told,)
    return (
        told,
        f"{prompts} prompts are few: the interval is wide for that reason, and more items do not shorten it; for a "
        "claim about these prompts alone, give them as repeats",
    )
