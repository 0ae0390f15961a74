"""`import` in a fresh interpreter, without that interpreter's start.

Beside it what an experimenter would import to get at part of the same things, where it is installed with Crucible.
"""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.clock import Figure, figure_of
from benchmarks.topic import Scale

OWN = ("crucible", "crucible.ir", "crucible.pipeline")
OTHERS = (
    "pydantic",
    "sqlalchemy",
    "inspect_ai",
    "pydantic_evals",
    "mlflow",
    "tinker_cookbook",
    "transformers",
    "torch",
)
FRESH = 7

PEERS = ()
AGAINST: dict[str, tuple[str, ...]] = {}
ROUNDS = 1  # every sample is a process of its own


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the figures of Crucible's packages and of those others that are installed."""
    fresh = FRESH if scale.budget.most > 1 else 1
    for module in OWN if scale.own_modules_only else (*OWN, *OTHERS):
        if importlib.util.find_spec(module.partition(".")[0]) is not None:
            taken = [_import_ns(module) for _ in range(fresh + 1)]
            yield figure_of(f"`import {module}`", "ms", taken[1:])  # the first one reads a cold disk


def _import_ns(module: str) -> float:
    code = f"import time; start = time.perf_counter_ns(); import {module}; print(time.perf_counter_ns() - start)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])
