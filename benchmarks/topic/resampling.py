"""BCa intervals, permutation tests and comparisons of two columns of scores, beside scipy's.

Both sides draw 10,000 resamples from the same columns in one process and one thread.
"""

import time
from collections.abc import Iterator

from benchmarks import resampling
from benchmarks.clock import Figure, figure_of, timed
from benchmarks.peers import Peer
from benchmarks.topic import Scale

PEERS = (Peer("scipy", "benchmarks.resampling.scipy", ("scipy==1.17.1", "numpy==2.4.6")),)
_SHARED = (
    resampling.BCA.format(resampling.FEW),
    resampling.BCA.format(resampling.MANY),
    resampling.GROWTH.format(resampling.MANY),
    resampling.INDEPENDENT.format(resampling.FEW),
    resampling.PAIRED.format(resampling.FEW),
)
AGAINST = {name: (name,) for name in _SHARED}
ROUNDS = None


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures; of the long column with fewer resamples, and said so, where the budget is tiny."""
    from crucible import stats

    is_tiny = scale.budget.most == 1
    few, many = resampling.columns(resampling.FEW), resampling.columns(resampling.MANY)
    x, y = few
    resamples = 200 if is_tiny else resampling.RESAMPLES
    stats.bootstrap_ci(x[:50], resamples=200)  # what is imported late is there now
    before = resampling.peak_bytes()
    start = time.perf_counter_ns()
    stats.bootstrap_ci(many[0], resamples=resamples)
    taken = time.perf_counter_ns() - start
    grown = max(1, resampling.peak_bytes() - before) / 1e6
    note = {"note": f"{resamples} resamples only"} if is_tiny else {}
    yield figure_of(resampling.BCA.format(resampling.MANY), "ms", [taken], **note)
    yield Figure(resampling.GROWTH.format(resampling.MANY), "MB", grown, grown, grown, **note)
    budget = scale.budget
    yield timed(resampling.BCA.format(resampling.FEW), "ms", lambda: stats.bootstrap_ci(x), budget)
    right = (x > 1.0).astype(float)
    name = "BCa of the mean, 1,000 right or wrong, 10,000 resamples"
    yield timed(name, "ms", lambda: stats.bootstrap_ci(right), budget)
    name = "BCa of the median, 1,000 values, 1,000 resamples"
    yield timed(name, "ms", lambda: stats.bootstrap_ci(x, "median", resamples=1_000), budget)
    name = resampling.INDEPENDENT.format(resampling.FEW)
    yield timed(name, "ms", lambda: stats.permutation_independent(x, y), budget, note="with its interval")
    name = resampling.PAIRED.format(resampling.FEW)
    yield timed(name, "ms", lambda: stats.permutation_paired(x, y), budget, note="with its interval")
    yield from _comparisons(scale)


def _comparisons(scale: Scale) -> Iterator[Figure]:
    from crucible import stats

    x, y = resampling.columns(resampling.FEW)
    right, left = (x > 1.0).tolist(), (y > 1.0).tolist()
    lists, budget = (x.tolist(), y.tolist()), scale.budget
    name = "`compare` of two columns of 1,000"
    yield timed(f"{name}, Welch", "ms", lambda: stats.compare(x, y), budget, note="numpy arrays")
    yield timed(f"{name}, Welch, from lists", "ms", lambda: stats.compare(*lists), budget, note="lists of floats")
    yield timed(f"{name}, Fisher", "ms", lambda: stats.compare(right, left), budget, note="lists of truth values")
    yield timed("`compare_paired`, 1,000 pairs, t-test", "ms", lambda: stats.compare_paired(x, y), budget)
    yield timed("`compare_paired`, 1,000 pairs, McNemar", "ms", lambda: stats.compare_paired(right, left), budget)
    yield timed("`hodges_lehmann`, 1,000 and 1,000", "ms", lambda: stats.hodges_lehmann(x, y), budget)
