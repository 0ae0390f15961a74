"""The variance of a mean whose values are clustered in two ways that cross: items and prompts, items and graders."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from crucible.stats.sample import FloatArray

__all__ = ["one_way_variance", "two_way_variance"]


def one_way_variance(weighted: FloatArray, code: npt.NDArray[np.intp]) -> float:
    """Return the squared standard error of a mean by one clustering, with the factor G / (G - 1).

    Args:
        weighted: Each value's distance from the mean, times the value's weight in the mean, (n,).
        code: Cluster of each, from 0, (n,); at least 2 different ones.
    """
    import numpy as np

    sums = np.bincount(code, weights=weighted)  # (G,)
    groups = int((np.bincount(code) > 0).sum())
    return groups / (groups - 1.0) * float((sums**2).sum())


def two_way_variance(
    weighted: FloatArray,
    first: npt.NDArray[np.intp],
    second: npt.NDArray[np.intp],
    names: tuple[str, str] = ("the first clustering", "the second clustering"),
) -> tuple[float, str]:
    """Return the squared standard error of a mean by two crossed clusterings, and what is to be said of it.

    Args:
        weighted: As for `one_way_variance`.
        first: Cluster of each value, (n,).
        second: Its cluster of the other kind, (n,).
        names: What the two are called in the clause.

    Returns:
        The variance, and "" or a clause: where it is smaller than that of one of its clusterings (it can be negative),
        the larger of those stands in for it.

    Source:
        Cameron, Gelbach & Miller (2011), Journal of Business & Economic Statistics 29(2):238-249; the larger variance:
        MacKinnon, Nielsen & Webb (2024), "Jackknife inference with two-way clustering" (arXiv:2406.08880).
    """
    import numpy as np

    _, both = np.unique(first * (int(second.max()) + 1) + second, return_inverse=True)
    ones = one_way_variance(weighted, first), one_way_variance(weighted, second)
    variance = sum(ones) - one_way_variance(weighted, both)
    if variance >= max(ones):
        return variance, ""
    which = names[0] if ones[0] >= ones[1] else names[1]
    said = "not positive" if variance <= 0.0 else "smaller than a one-way variance"
    return max(ones), f"the two-way variance is {said}, that of {which} is used in its place"
