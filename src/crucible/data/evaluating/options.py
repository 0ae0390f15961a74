"""How to evaluate: everything beside the model, the questions and the scorers."""

from __future__ import annotations

from pathlib import Path

import msgspec

from crucible.backends.records import SamplingParams
from crucible.data.evaluating.limits import Limits
from crucible.errors import DataError
from crucible.stats.bench.scores import FailurePolicy

__all__ = ["EvalOptions"]


class EvalOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to evaluate. `evaluate` takes each of these by keyword, too.

    Args:
        params: How answers are drawn; greedy by default. What is drawn depends on the seed, the item's id and the
            repeat, not on the batch it comes in.
        batch_size: Prompts a call of the sampler, at least 1.
        concurrency: Calls under way at once, at least 1. None: 1 where the sampler says on which device its weights
            are, because more would share that device; else 8.
        repeats: Measurements an item, at least 1.
        model: Name for events and the result; the sampler's own if None.
        failures: What failed measurements are in the means: `exclude`, `zero`, or `abort` (the first one is raised).
        level: Coverage of the intervals.
        record: File for the measurements, one JSON line each; they are in it as soon as their batch is done. An
            evaluation that was ended in any way goes on from it. None: a file without a name, gone with the result.
        resume: Go on from a record that is there. False: one that is there is refused.
        retry_failed: Make recorded measurements that failed again. An answer that is there is only scored again.
        limits: Where to stop.
        timeout_s: Most seconds of one call; None waits as long as it takes.
        attempts: Most tries of a call whose error says `is_retryable`, at least 1; waits of 0.5, 1, 2 … 30 s between.
        scoring_threads: Threads that score, for scorers that take long; 0 scores where the answers arrive.
        identity: Whatever else says which model this is, such as the digest of an adapter; a record of another one is
            refused.

    Raises:
        DataError: A value lies outside its range.
    """

    params: SamplingParams | None = None
    batch_size: int = 16
    concurrency: int | None = None
    repeats: int = 1
    model: str | None = None
    failures: FailurePolicy | str = FailurePolicy.EXCLUDE
    level: float = 0.95
    record: Path | str | None = None
    resume: bool = True
    retry_failed: bool = False
    limits: Limits = Limits()
    timeout_s: float | None = None
    attempts: int = 3
    scoring_threads: int = 0
    identity: dict[str, str | None] = {}

    def __post_init__(self) -> None:
        known = [policy.value for policy in FailurePolicy]
        if self.failures not in known:
            raise DataError(f'unknown policy for failures "{self.failures}"; known: {", ".join(known)}')
        if not 0 < self.level < 1:
            raise DataError(f"the level of an interval lies between 0 and 1, got {self.level}")
        if self.batch_size < 1:
            raise DataError(f"a batch holds at least 1 item, got batch_size {self.batch_size}")
        for name in ("concurrency", "repeats", "attempts"):
            value: int | None = getattr(self, name)
            if value is not None and value < 1:
                raise DataError(f"{name} is at least 1, got {value}")
        if self.scoring_threads < 0:
            raise DataError(f"scoring_threads is 0 or more, got {self.scoring_threads}")
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise DataError(f"timeout_s is above 0, got {self.timeout_s}; None waits as long as it takes")
        if self.params is not None and self.params.seeds is not None:
            raise DataError("params.seeds cannot be given: each item has a seed of its own; give params.seed")

    @property
    def drawn(self) -> SamplingParams:
        """How answers are drawn."""
        return self.params or SamplingParams()

    @property
    def policy(self) -> FailurePolicy:
        """What failed measurements are in the means."""
        return FailurePolicy(self.failures)
