"""The process that is killed: evaluates a scripted model, and tells a file of every prompt that it asks.

`python killed.py RECORD CALLS COUNT WAIT_S REPEATS`: CALLS gets a line a prompt, written before the answer is given.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from crucible.backends.records import Sample, SamplingParams
from crucible.backends.scripted import ScriptedSampler
from crucible.data import Dataset, EvalResult, evaluate, load


class Drawing(ScriptedSampler):
    """Draws an answer from the seed of each prompt, after a while."""

    def __init__(self, calls: Path, wait_s: float) -> None:
        super().__init__(str)
        self._file = os.open(calls, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._wait_s = wait_s

    async def asample(self, prompts: Sequence[str], params: SamplingParams | None = None) -> list[Sample]:
        """Note the prompts, wait, and draw."""
        assert params is not None
        assert params.seeds is not None
        os.write(self._file, "".join(f"{prompt}\n" for prompt in prompts).encode())
        await asyncio.sleep(self._wait_s)
        return [
            Sample(str(random.Random(seed).randrange(2)), (), "stop", None, 0, truncated_prompt=False)
            for seed in params.seeds
        ]


def dataset(count: int) -> Dataset:
    """Return questions that are answered with 0 or 1."""
    return load([(f"q{index}", str(index % 2)) for index in range(count)])


def run(record: Path, calls: Path, count: int, wait_s: float, repeats: int) -> EvalResult:
    """Evaluate, or go on."""
    params = SamplingParams(temperature=1.0, seed=5)
    return evaluate(
        Drawing(calls, wait_s),
        dataset(count),
        ["exact_match"],
        params=params,
        record=record,
        batch_size=4,
        concurrency=3,
        repeats=repeats,
    )


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
