"""1,000 updates of a context that holds 10,000 metrics."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.clock import Figure, timed
from benchmarks.topic import Scale

PEERS = ()
AGAINST: dict[str, tuple[str, ...]] = {}
ROUNDS = None


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures: writing, and what the structure behind it costs when it is read."""
    from crucible import ir, pipeline

    experiment = ir.Experiment(id="bench", backend=ir.BackendRef(id="local"), pipeline=(ir.StageDef(name="nothing"),))
    first = {f"m{index}": float(index) for index in range(scale.metrics)}
    known, new = list(first)[: scale.updates], [f"new{index}" for index in range(scale.updates)]
    what, budget = f"on {scale.metrics:,} metrics", scale.budget
    with tempfile.TemporaryDirectory() as folder:
        empty = pipeline.Context(run_id="bench", experiment=experiment, workspace=Path(folder))
        full = empty.merge_metrics(first)
        after = _updated(full, new)
        yield timed(f"{len(known):,} updates of known names {what}", "ms", lambda: _updated(full, known), budget)
        yield timed(f"{len(new):,} updates with new names {what}", "ms", lambda: _updated(full, new), budget)
        yield timed(f"`merge_metrics` of {scale.metrics:,} at once", "ms", lambda: empty.merge_metrics(first), budget)
        yield timed("all metrics read, after the updates", "ms", lambda: dict(after.metrics), budget)
        yield timed("`delta_since`, after the updates", "ms", lambda: after.delta_since(full), budget)


def _updated(context: Any, names: list[str]) -> Any:
    for name in names:
        context = context.put_metric(name, 0.5)
    return context
