"""Posteriors of shares of independent trials: of one, and of the difference of two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from crucible.errors import StatsError
from crucible.ir import Interval
from crucible.stats.bayes.posterior import Posterior, limits_of, rope_of
from crucible.stats.extra import needs_stats
from crucible.stats.sample import check_rates
from crucible.stats.whole_number import wholes

if TYPE_CHECKING:
    from crucible.stats.sample import FloatArray

__all__ = ["beta_binomial", "beta_binomial_difference", "integral_over_beta"]

_UNIFORM = (1.0, 1.0)
_FAR = 1e-13  # tail probability beyond which a posterior is cut off


@needs_stats
def beta_binomial(
    successes: int,
    trials: int,
    *,
    prior: tuple[float, float] = _UNIFORM,
    kind: Literal["equal_tailed", "hdi"] = "equal_tailed",
    level: float = 0.95,
) -> Posterior:
    """Return the posterior of a share of successes under a beta prior.

    Args:
        successes: Count of successes, 0 <= successes <= trials.
        trials: Independent trials; with 0 the posterior is the prior.
        prior: The two parameters of the beta distribution, each above 0: (1, 1) is uniform, (.5, .5) Jeffreys' prior.
        kind: `equal_tailed`, or `hdi` for the shortest interval.
        level: Probability inside the interval.

    Raises:
        StatsError: The counts, the prior or the level are out of range.

    Source:
        Gelman et al. (2013), Bayesian Data Analysis, section 2.4; Bowyer, Aitchison & Ivanova (2025), arXiv:2503.01747,
        who recommend it for small evaluations.
    """
    from scipy import special

    check_rates(0.5, level)
    successes, trials = wholes(successes=successes, trials=trials)
    a, b = _posterior(successes, trials, prior)
    if kind == "equal_tailed":
        tail = (1.0 - level) / 2.0
        limits = float(special.betaincinv(a, b, tail)), float(special.betainccinv(a, b, tail))
    elif kind == "hdi":
        limits = _shortest(a, b, level)
    else:
        raise StatsError(f'unknown kind of interval "{kind}"; known: equal_tailed, hdi')
    name = "equal-tailed posterior" if kind == "equal_tailed" else "highest posterior density"
    return Posterior(
        quantity="share",
        mean=a / (a + b),
        interval=Interval(*limits, level, name),
        prior=_named(prior),
        n=trials,
    )


@needs_stats
def beta_binomial_difference(
    baseline_successes: int,
    baseline_trials: int,
    treatment_successes: int,
    treatment_trials: int,
    *,
    prior: tuple[float, float] = _UNIFORM,
    rope: float | tuple[float, float] | None = None,
    level: float = 0.95,
) -> Posterior:
    """Return the posterior of the difference of two shares of independent trials, treatment minus baseline.

    Args:
        baseline_successes: Count of successes of the baseline.
        baseline_trials: Trials of the baseline.
        treatment_successes: Count of successes of the treatment.
        treatment_trials: Trials of the treatment.
        prior: Of each share, as for `beta_binomial`.
        rope: Differences that are too small to matter: two ends, or a half-width about 0.
        level: Probability inside the equal-tailed interval.

    Raises:
        StatsError: The counts, the prior, the region or the level are out of range.

    Source:
        The difference of two beta variables by numerical integration: Pham-Gia & Turkkan (1993), Communications in
        Statistics - Theory and Methods 22(6):1755-1771.
    """
    import numpy as np
    from scipy import special

    check_rates(0.5, level)
    x, n, y, m = wholes(
        baseline_successes=baseline_successes,
        baseline_trials=baseline_trials,
        treatment_successes=treatment_successes,
        treatment_trials=treatment_trials,
    )
    base, treated = _posterior(x, n, prior), _posterior(y, m, prior)

    def below(difference: float) -> float:
        if abs(difference) >= 1.0:
            return float(difference > 0.0)

        def treatment_below(shares: FloatArray) -> FloatArray:
            return special.betainc(*treated, np.clip(shares + difference, 0.0, 1.0))

        turns = [float(special.betaincinv(*treated, tail)) - difference for tail in (_FAR, 0.05, 0.5, 0.95, 1 - _FAR)]
        return integral_over_beta(treatment_below, *base, turns)

    return Posterior(
        quantity="difference of shares",
        mean=treated[0] / sum(treated) - base[0] / sum(base),
        interval=Interval(*limits_of(below, -1.0, 1.0, level), level, "equal-tailed posterior"),
        prior=f"{_named(prior)} of each share",
        n=n + m,
        p_above_zero=1.0 - below(0.0),
        rope=rope_of(rope, below),
    )


def integral_over_beta(
    function: Callable[[FloatArray], FloatArray], a: float, b: float, turns: Sequence[float]
) -> float:
    """Return the mean of a function of [0, 1], with values of [0, 1], under a beta distribution.

    Args:
        function: Of an array, element by element; smooth, and where it turns is told by `turns`.
        a: First parameter.
        b: Second parameter.
        turns: Arguments at which the function begins or ends to rise.

    Source:
        Gauss and Legendre's rule on pieces between quantiles, in the variable u = F(x), in which the density is 1.
    """
    import numpy as np
    from scipy import special

    marks = special.betainc(a, b, np.clip(np.array(turns), 0.0, 1.0))
    edges = np.unique(np.concatenate([[0.0, 1.0], marks, _EDGES]))
    nodes, weights = np.polynomial.legendre.leggauss(20)
    half = np.diff(edges)[:, None] / 2.0  # (pieces, 1)
    at = edges[:-1, None] + half * (1.0 + nodes)  # (pieces, 20)
    values = function(special.betaincinv(a, b, at))
    return min(1.0, max(0.0, float((values * weights * half).sum())))


_EDGES = (1e-12, 1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999, 1 - 1e-4, 1 - 1e-6, 1 - 1e-9)


def _shortest(a: float, b: float, level: float) -> tuple[float, float]:
    """Return the shortest interval of a beta distribution; at an end where the density has its maximum there."""
    from scipy import optimize, special

    if a <= 1.0 and b <= 1.0:
        if a == b == 1.0:
            return (1.0 - level) / 2.0, (1.0 + level) / 2.0
        raise StatsError(f"the density of beta({a:.6g}, {b:.6g}) is highest at both ends: no one interval is shortest")
    if a <= 1.0:
        return 0.0, float(special.betaincinv(a, b, level))
    if b <= 1.0:
        return float(special.betaincinv(a, b, 1.0 - level)), 1.0

    def slope(tail: float) -> float:
        low, high = float(special.betaincinv(a, b, tail)), float(special.betaincinv(a, b, tail + level))
        return float(
            special.xlogy(a - 1.0, low)
            + special.xlog1py(b - 1.0, -low)
            - special.xlogy(a - 1.0, high)
            - special.xlog1py(b - 1.0, -high)
        )

    tail = float(optimize.brentq(slope, 0.0, 1.0 - level, xtol=1e-15, rtol=1e-14))
    return float(special.betaincinv(a, b, tail)), float(special.betaincinv(a, b, tail + level))


def _posterior(successes: int, trials: int, prior: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= successes <= trials:
        raise StatsError(f"expected 0 <= successes <= trials, got {successes} of {trials}")
    if not min(prior) > 0.0:
        raise StatsError(f"both parameters of a beta prior must be above 0, got {prior}")
    return prior[0] + successes, prior[1] + trials - successes


def _named(prior: tuple[float, float]) -> str:
    return f"beta({prior[0]:.6g}, {prior[1]:.6g}) prior"
