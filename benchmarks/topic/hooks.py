"""Gradient hooks: a step of training with `norm`, with all four, and without, on 0.3 and 6 million parameters.

Two sessions train on the same batches in turn, a step of one and a step of the other, so that other work on the machine
hits both alike; a ratio is of neighbouring steps. A hook's own clock says what it took; the ratio also holds the event.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.clock import Figure, figure_of
from benchmarks.topic import Scale
from benchmarks.train import ALPHA, CASES, RATE_LR, SEED, batches, save_model
from benchmarks.train.own import data_of

PEERS = ()
AGAINST: dict[str, tuple[str, ...]] = {}
ROUNDS = None

KINDS = {"norm": ("norm",), "all four": ("norm", "distribution", "flow", "health")}
PAIRS = {"0.3 M": 60, "6 M": 12}
WARM_UP = 2


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures; those of the smallest model alone, and of few steps, where the budget is tiny."""
    tiny = scale.budget.most == 1
    for case in (case for case in CASES if case.kind == "fixed" and not (case.threads or case.is_busy)):
        if case.model not in PAIRS or (tiny and case.model != "0.3 M"):
            continue
        with tempfile.TemporaryDirectory() as place:
            folder = save_model(case.model, Path(place))
            data = [data_of(batch) for batch in batches(case)]
            for kind, names in KINDS.items():
                yield from _figures(
                    f"{case.title}, {kind}", folder, case.rank, data, names, 2 if tiny else PAIRS[case.model]
                )


def _figures(
    title: str, folder: Path, rank: int, data: Sequence[list[Any]], names: Sequence[str], pairs: int
) -> Iterator[Figure]:
    from crucible.backends import LocalBackend
    from crucible.ir import LoraConfig

    plain = LoraConfig(base_model=str(folder), rank=rank, alpha=ALPHA, dropout=0.0, seed=SEED)
    hooked = plain.model_copy(update={"gradient_hooks": tuple(names)})
    backend = LocalBackend()
    without, within, own = [], [], []
    with backend.start_session(plain) as one, backend.start_session(hooked) as two:
        for index in range(WARM_UP + pairs):
            batch = data[index % len(data)]
            order = ((one, without), (two, within)) if index % 2 else ((two, within), (one, without))
            for session, taken in order:
                took, hooks_ns = _step(session, batch)
                taken.append(took)
                if session is two:
                    own.append(float(hooks_ns))
    del without[:WARM_UP], within[:WARM_UP], own[:WARM_UP]
    ratios = [after / before for before, after in zip(without, within, strict=True)]
    said = version("crucible-ml")
    yield figure_of(f"{title}: step without hooks", "ms", without, version=said)
    yield figure_of(f"{title}: step with hooks", "ms", within, version=said)
    yield figure_of(f"{title}: the hooks by their own clock", "µs", own, version=said)
    yield _figure(
        f"{title}: the hooks' share of a step", "%", [100 * ns / step for ns, step in zip(own, within, strict=True)]
    )
    yield _figure(f"{title}: step with over step without", "x", ratios)


def _figure(name: str, unit: str, values: Sequence[float]) -> Figure:
    return Figure(name, unit, statistics.median(values), min(values), max(values), len(values), version("crucible-ml"))


def _step(session: Any, batch: list[Any]) -> tuple[float, int]:
    """Return the ns of a step, and those of its hooks."""
    from crucible.backends import AdamParams

    begun = time.perf_counter_ns()
    session.forward_backward(batch)
    output = session.optim_step(AdamParams(learning_rate=RATE_LR, grad_clip_norm=1.0)).result()
    return float(time.perf_counter_ns() - begun), output.hooks_ns
