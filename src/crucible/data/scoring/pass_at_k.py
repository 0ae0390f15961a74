"""pass@k: the chance that at least one of k programs passes, from n that were tried."""

from __future__ import annotations

import math

from crucible.errors import DataError

__all__ = ["pass_at_k"]


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """Return the unbiased estimate of pass@k for one problem: 1 - C(n-c, k) / C(n, k).

    It is a product of factors between 0 and 1, so no large number arises. 1 - (1 - c/n)^k is biased and not this.

    Args:
        samples: Programs that were tried, n.
        passed: Programs that passed, 0 <= c <= n.
        k: How many one may submit, 1 <= k <= n.

    Raises:
        DataError: A count is out of range; pass@k cannot be estimated from fewer than k programs.

    Source:
        Chen et al. (2021), "Evaluating Large Language Models Trained on Code", arXiv 2107.03374, equation 1.
    """
    if not 0 <= passed <= samples:
        raise DataError(f"expected 0 <= passed <= samples, got {passed} of {samples}")
    if not 1 <= k <= samples:
        raise DataError(f"pass@{k} needs at least 1 and at most {samples} programs to choose from; try more a problem")
    if samples - passed < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(samples - passed + 1, samples + 1))
