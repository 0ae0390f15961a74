"""scipy.stats: `bootstrap` and `permutation_test`, both vectorised; blocks of 100 resamples where all would not fit."""

import time
from importlib.metadata import version
from typing import Any

from benchmarks import resampling
from benchmarks.clock import Figure, budget, figure_of, timed

BLOCK = 100


def main() -> None:
    """Print the figures of scipy."""
    import numpy as np
    from scipy import stats

    found, allowed = version("scipy"), budget()

    def difference(x: Any, y: Any, axis: int = -1) -> Any:
        return y.mean(axis=axis) - x.mean(axis=axis)

    def bca(values: Any, batch: int | None) -> None:
        options = {"n_resamples": resampling.RESAMPLES, "method": "BCa", "batch": batch, "vectorized": True}
        stats.bootstrap((values,), np.mean, rng=np.random.default_rng(0), **options)

    def permuted(x: Any, y: Any, kind: str) -> None:
        options = {"n_resamples": resampling.RESAMPLES, "permutation_type": kind, "vectorized": True}
        stats.permutation_test((x, y), difference, rng=np.random.default_rng(0), **options)

    few, many = resampling.columns(resampling.FEW), resampling.columns(resampling.MANY)
    bca(few[0][:50], BLOCK)  # what is imported late is there now
    before = resampling.peak_bytes()
    start = time.perf_counter_ns()
    bca(many[0], BLOCK)
    taken = time.perf_counter_ns() - start
    grown = max(1, resampling.peak_bytes() - before) / 1e6
    block = f"batch={BLOCK}; without it 16 GB"
    name = resampling.BCA.format(resampling.MANY)
    figure_of(name, "ms", [taken], version=found, note=block).report()
    name = resampling.GROWTH.format(resampling.MANY)
    Figure(name, "MB", grown, grown, grown, version=found, note=block).report()
    name = resampling.BCA.format(resampling.FEW)
    timed(name, "ms", lambda: bca(few[0], None), allowed, version=found, note="batch=None, the default").report()
    name = resampling.INDEPENDENT.format(resampling.FEW)
    timed(name, "ms", lambda: permuted(*few, "independent"), allowed, version=found, note="vectorised").report()
    name = resampling.PAIRED.format(resampling.FEW)
    timed(name, "ms", lambda: permuted(*few, "samples"), allowed, version=found, note="vectorised").report()


if __name__ == "__main__":
    main()
