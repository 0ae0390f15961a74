"""Asking a model every item of a dataset, and scoring each answer with every scorer in the same pass.

A failure is a value: an error of the sampler or of a scorer makes `Failed` items and never a zero. Only cancellation,
and the policy `abort`, end an evaluation early.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec

from crucible import events
from crucible.backends.protocols import Sampler
from crucible.backends.records import Sample, SamplingParams
from crucible.data.dataset import Dataset
from crucible.data.items import Item
from crucible.data.order import batches, draw_seed
from crucible.data.scorers import Scorer, resolve_scorers, score_bounds
from crucible.data.summary import Summary, summarise
from crucible.errors import BadResponse, Cancelled, DataError, require
from crucible.ir import Failed, Outcome, Scored, Skipped
from crucible.pipeline import check_cancelled, run_sync
from crucible.stats.scores import FailurePolicy

__all__ = ["EvalResult", "ItemResult", "aevaluate", "evaluate"]

Scorers = Iterable[str | Scorer] | Mapping[str, Scorer]


class ItemResult(msgspec.Struct, frozen=True):
    """What became of one item.

    Args:
        id: The item's id.
        output: The model's answer; None if there is none.
        outcomes: Outcome by scorer.
        stop_reason: `stop` or `length` (the answer was cut at `max_tokens`); None without an answer.
        truncated_prompt: The prompt was longer than the model's window and lost its beginning.
    """

    id: str
    output: str | None
    outcomes: dict[str, Outcome]
    stop_reason: str | None = None
    truncated_prompt: bool = False


class EvalResult(msgspec.Struct, frozen=True):
    """An evaluation of one model on one dataset.

    Args:
        model: The model's name.
        items: One result an item, in the dataset's order.
        summaries: Summary by scorer.
        prompt_tokens: Tokens that the model read.
        completion_tokens: Tokens that it wrote.
    """

    model: str
    items: list[ItemResult]
    summaries: dict[str, Summary]
    prompt_tokens: int
    completion_tokens: int

    @property
    def cut_answers(self) -> int:
        """Count of answers that were cut at `max_tokens`."""
        return sum(item.stop_reason == "length" for item in self.items)

    @property
    def truncated_prompts(self) -> int:
        """Count of prompts that lost their beginning."""
        return sum(item.truncated_prompt for item in self.items)


def evaluate(sampler: Sampler, dataset: Dataset, scorers: Scorers, **options: Any) -> EvalResult:
    """`aevaluate` for sync code; works inside a running event loop too."""
    return run_sync(aevaluate(sampler, dataset, scorers, **options))


async def aevaluate(
    sampler: Sampler,
    dataset: Dataset,
    scorers: Scorers,
    *,
    params: SamplingParams | None = None,
    batch_size: int = 16,
    model: str | None = None,
    failures: str = "exclude",
    level: float = 0.95,
) -> EvalResult:
    """Sample one answer an item, score it, and summarise.

    Args:
        sampler: Answers prompts.
        dataset: What to ask; at least 1 item.
        scorers: Names, functions, or functions by name; see `resolve_scorers`.
        params: How answers are drawn; greedy by default. What is drawn for an item depends on the seed and the item's
            id, not on the batch it comes in.
        batch_size: Prompts a call of the sampler, at least 1. If a call fails, all of its items are failed.
        model: Name for events and the result; the sampler's own if None.
        failures: What failed items are in the means: `exclude`, `zero`, or `abort` (the first failure is raised).
        level: Coverage of the intervals.

    Raises:
        DataError: The dataset is empty, or a scorer or a policy is unknown; under `abort`, an item could not be scored.
        BackendError: Under `abort`, the sampler failed; also whatever else a sampler raises.
        MissingExtra: scipy is not installed; found before the first question.
        Cancelled: The run was asked to stop; checked once a batch.
    """
    if not len(dataset):
        raise DataError(f"{dataset.name} ({dataset.split}) is empty: there is nothing to evaluate")
    known = [policy.value for policy in FailurePolicy]
    if failures not in known:
        raise DataError(f'unknown policy for failures "{failures}"; known: {", ".join(known)}')
    if not 0 < level < 1:
        raise DataError(f"the level of an interval lies between 0 and 1, got {level}")
    require("scipy.stats", extra="stats", feature="the interval of an evaluation")
    chosen = resolve_scorers(scorers, dataset)
    work = _Work(sampler, chosen, params or SamplingParams(), FailurePolicy(failures))
    asked = model or sampler.model
    metadata = {"model": asked, "total_items": len(dataset), "dataset": dataset.name}
    with events.span("crucible_data.evaluation", metadata) as span:
        for batch in batches(dataset.items, batch_size):
            check_cancelled()
            await work.add(batch)
            events.emit("crucible_data.evaluation.progress", {"items": len(work.results)}, metadata)
        summaries = {
            name: summarise(
                [result.outcomes[name] for result in work.results],
                failures=work.failures,
                level=level,
                bounds=score_bounds(scorer),
            )
            for name, scorer in chosen.items()
        }
        span.measure(
            items=len(work.results), prompt_tokens=work.prompt_tokens, completion_tokens=work.completion_tokens
        )
        span.annotate(means={name: summary.mean for name, summary in summaries.items()})
    return EvalResult(asked, work.results, summaries, work.prompt_tokens, work.completion_tokens)


class _Work:
    """An evaluation in progress."""

    def __init__(
        self, sampler: Sampler, scorers: Mapping[str, Scorer], params: SamplingParams, failures: FailurePolicy
    ) -> None:
        self.results: list[ItemResult] = []
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.failures = failures
        self._sampler = sampler
        self._scorers = scorers
        self._params = params

    async def add(self, batch: Sequence[Item]) -> None:
        """Ask and score one batch."""
        try:
            samples = await self._sampler.asample([item.input for item in batch], _seeded(self._params, batch))
            if len(samples) != len(batch):
                raise BadResponse(f"{len(samples)} answers came for {len(batch)} prompts", backend=self._sampler.model)
        except Cancelled:
            raise
        except Exception as error:  # whatever a backend raises fails its items and no others
            if self.failures is FailurePolicy.ABORT:
                raise
            failed = Failed(f"no answer: {type(error).__name__}: {error}")
            self.results += [ItemResult(item.id, None, dict.fromkeys(self._scorers, failed)) for item in batch]
            return
        self.results += [self._scored(item, sample) for item, sample in zip(batch, samples, strict=True)]

    def _scored(self, item: Item, sample: Sample) -> ItemResult:
        self.prompt_tokens += sample.prompt_tokens
        self.completion_tokens += len(sample.tokens)
        outcomes = {name: _outcome(scorer, item, sample.text) for name, scorer in self._scorers.items()}
        if self.failures is FailurePolicy.ABORT:
            for name, outcome in outcomes.items():
                if isinstance(outcome, Failed):
                    raise DataError(f'item "{item.id}" cannot be scored by {name}: {outcome.error} (failures: abort)')
        return ItemResult(item.id, sample.text, outcomes, sample.stop_reason, sample.truncated_prompt)


def _seeded(params: SamplingParams, batch: Sequence[Item]) -> SamplingParams:
    """Return the parameters of one call, with a seed for each item where something is drawn."""
    if params.temperature == 0 or params.seed is None:
        return params
    seeds = tuple(draw_seed(params.seed, item.id) for item in batch)
    return msgspec.structs.replace(params, seed=None, seeds=seeds)


def _outcome(scorer: Scorer, item: Item, output: str) -> Outcome:
    """Return what a scorer says; what it raises, or says that is no outcome, is a failure of the item."""
    try:
        outcome = cast("object", scorer(item, output))
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001  # a scorer is anybody's code
        return Failed(f"the scorer raised {type(error).__name__}: {error}")
    if isinstance(outcome, Scored) and not math.isfinite(outcome.value):
        return Failed(f"the score is {outcome.value}, not a finite number")
    if isinstance(outcome, (Scored, Failed, Skipped)):
        return outcome
    return Failed(f"the scorer returned a {type(outcome).__name__}; expected Scored, Failed or Skipped")
