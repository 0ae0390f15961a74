"""Learning from rewards on a base of crucible/tiny's shape: how much of an iteration is sampling and the model.

The share is what the sampler's and the session's own requests took (drawing answers, forward and backward, optimiser
steps, copying weights for a sampler) over the wall time of the whole training; the rest is Python: environments,
rewards, advantages, data, telling.
"""

import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.clock import Figure
from benchmarks.topic import Scale

PEERS = ()
AGAINST: dict[str, tuple[str, ...]] = {}
ROUNDS = 1

REQUESTS = (
    "req_llm.request.stop",
    "crucible_backends.session.forward_backward.stop",
    "crucible_backends.session.optim_step.stop",
    "crucible_backends.session.sampler_created",
)
PROBLEMS, ANSWERS, TOKENS = 16, 8, 32


def measure(scale: Scale) -> Iterator[Figure]:
    """Yield the share, the pace, and what Python takes of an iteration."""
    iterations = 2 if scale.budget.most == 1 else 12
    with tempfile.TemporaryDirectory() as name:
        shares, own_ms, rates = _measured(Path(name), iterations)
    title = f"{PROBLEMS} problems, {ANSWERS} answers of at most {TOKENS} tokens"
    for what, unit, values in (
        ("share of wall time in sampling and the model", "%", shares),
        ("Python of an iteration", "ms", own_ms),
        ("iterations in a second", "1/s", rates),
    ):
        ordered = sorted(values)
        yield Figure(f"{title}: {what}", unit, ordered[len(ordered) // 2], ordered[0], ordered[-1], len(ordered))


def _measured(folder: Path, iterations: int) -> tuple[list[float], list[float], list[float]]:
    """Return by iteration: the share in percent, Python's time in ms, iterations a second; the first is left out."""
    from crucible import data, events, train
    from crucible.train import rl
    from crucible.train.tiny_base import TinyBaseRecipe, build

    base = build(recipe=TinyBaseRecipe(steps=2, warmup_steps=1, tokenizer_texts=400), cache=folder)
    config = train.LoraConfig(
        base_model=str(base),
        dropout=0.0,
        learning_rate=1e-3,
        batch_size=PROBLEMS,
        max_steps=iterations,
        checkpoint_interval=iterations,
    )
    settings = rl.RLConfig(algorithm="grpo", group_size=ANSWERS, max_tokens=TOKENS)
    spent = [0]
    ends: list[tuple[int, int]] = []

    def count(event: Any) -> None:
        spent[0] += event.measurements["duration_ns"]

    def end(_event: Any) -> None:
        ends.append((time.monotonic_ns(), spent[0]))

    events.attach("bench-requests", list(REQUESTS), count)
    events.attach("bench-steps", "crucible_train.batch.stop", end)
    try:
        with train.Trainer.start(config, workspace=folder / "work") as trainer:
            rl.train_rl(trainer, data.load("tickets", limit=PROBLEMS * 2), settings, reward="token_f1")
    finally:
        events.detach("bench-requests")
        events.detach("bench-steps")
    shares: list[float] = []
    own: list[float] = []
    rates: list[float] = []
    for (began, before), (ended, after) in pairwise(ends):
        wall, busy = ended - began, after - before
        shares.append(100 * busy / wall)
        own.append((wall - busy) / 1e6)
        rates.append(1e9 / wall)
    return shares, own, rates
