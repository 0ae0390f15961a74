"""Training a LoRA adapter on random Llamas of 0.3, 6 and 60 million parameters: tokens/s, peak memory, equal loss.

Every case is measured in a process of its own. `BENCH_DATA` is the folder that holds `gsm8k`, `BENCH_TRAIN` chooses
cases by the begin of their titles (`60 M, ragged;6 M`), `BENCH_THREADS` sets PyTorch's threads of all sides.
"""

from collections.abc import Iterator

from benchmarks.clock import Figure
from benchmarks.peers import TRAININGS
from benchmarks.side import figures_in
from benchmarks.topic import Scale
from benchmarks.train import CASES, chosen_cases, measured

PEERS = TRAININGS
AGAINST = {name: (name,) for case in CASES for name in (case.rate, case.thrift, case.peak, case.loss)}
ROUNDS = None


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield Crucible's figures; those of the smallest case alone where the budget is tiny."""
    for case in CASES[:1] if scale.budget.most == 1 else chosen_cases():
        yield from figures_in(measured("benchmarks.train.own", case))
