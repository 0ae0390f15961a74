"""Asking a model every item of a dataset, and scoring each answer with every scorer in the same pass.

A failure is a value: an error of the sampler or of a scorer makes `Failed` measurements and never a zero. Only
cancellation, a record that cannot be written, and the policy `abort` end an evaluation early; whatever ends it, what
was finished is in its record, and the next call goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from crucible import events
from crucible.backends.protocols import Sampler
from crucible.data.dataset import Dataset
from crucible.data.evaluating.options import EvalOptions
from crucible.data.evaluating.progress import Progress
from crucible.data.evaluating.questions import Questions
from crucible.data.evaluating.result import EvalResult, EvalStatus, ItemResult
from crucible.data.evaluating.work import Work
from crucible.data.items import Item
from crucible.data.scorers import Scorer, resolve_scorers
from crucible.errors import require
from crucible.pipeline import run_sync

__all__ = ["EvalResult", "ItemResult", "aevaluate", "evaluate"]

Scorers = Iterable[str | Scorer] | Mapping[str, Scorer]


def evaluate(
    sampler: Sampler,
    dataset: Dataset | Iterable[Item],
    scorers: Scorers,
    options: EvalOptions | None = None,
    **more: Any,
) -> EvalResult:
    """`aevaluate` for sync code; works inside a running event loop too."""
    return run_sync(aevaluate(sampler, dataset, scorers, options, **more))


async def aevaluate(
    sampler: Sampler,
    dataset: Dataset | Iterable[Item],
    scorers: Scorers,
    options: EvalOptions | None = None,
    **more: Any,
) -> EvalResult:
    """Sample an answer to each item, score it, record it, and summarise.

    Args:
        sampler: Answers prompts.
        dataset: What to ask; at least 1 item. Anything that yields items will do; one that yields them anew each time
            it is gone through can be continued without asking for an item that is another one.
        scorers: Names, functions, or functions by name; see `resolve_scorers`.
        options: How to evaluate.
        more: Fields of `EvalOptions` by keyword, in place of those of `options`, such as `record="runs/base.jsonl"`.

    Raises:
        DataError: The dataset is empty, or a scorer or an option is out of range; under `abort`, an item could not be
            scored; a limit cannot be held.
        ContractError: The record is of another evaluation.
        StoreError: The record cannot be written, or is damaged.
        BackendError: Under `abort`, the sampler failed; also whatever else a sampler raises.
        MissingExtra: scipy is not installed; found before the first question.
        Cancelled: The run was asked to stop; checked once a batch.
    """
    chosen = msgspec.structs.replace(options, **more) if options is not None else EvalOptions(**more)
    require("scipy.stats", extra="stats", feature="the interval of an evaluation")
    questions = Questions.of(dataset)
    resolved = resolve_scorers(scorers, cast("Dataset", questions))
    model = chosen.model or sampler.model
    total = None if questions.total is None else questions.total * chosen.repeats
    metadata = {"model": model, "total_items": total, "dataset": questions.name}
    with events.span("crucible_data.evaluation", metadata) as span:
        work = Work(sampler, questions, resolved, chosen, Progress(metadata))
        try:
            await work.run()
            result = _result(work, model, questions, chosen, total)
        finally:
            work.close()
        span.measure(
            items=len(result.items), prompt_tokens=result.prompt_tokens, completion_tokens=result.completion_tokens
        )
        span.annotate(
            means={name: summary.mean for name, summary in result.summaries.items()},
            status=result.status,
            reason=result.reason,
        )
    return result


def _result(work: Work, model: str, questions: Questions, options: EvalOptions, total: int | None) -> EvalResult:
    tally, recording = work.tally, work.recording
    status: EvalStatus = "limited" if work.reason else "completed"
    if status == "completed" and not tally.measured:
        raise questions.empty()
    if status == "limited":
        of = "" if total is None else f" of {total:,}"
        events.decision(
            f"stopped evaluating {model} after {tally.measured:,}{of} measurements",
            f"a limit was reached: {work.reason}",
            alternatives=["go beyond the limit"],
        )
    notes = list(recording.notes)
    if options.repeats > 1 and options.drawn.temperature == 0:
        notes.append("answers are greedy (temperature 0), so that repeats only show what the backend itself varies")
    return EvalResult(
        model=model,
        items=recording.end(status, work.reason),
        summaries=tally.summaries(options.policy, options.level),
        prompt_tokens=tally.prompt_tokens,
        completion_tokens=tally.completion_tokens,
        status=status,
        reason=work.reason,
        not_reached=0 if status == "completed" else None if total is None else total - tally.measured,
        repeats=options.repeats,
        resumed=recording.resumed,
        cost_usd=work.meter.cost_usd(tally.prompt_tokens, tally.completion_tokens),
        answers=tally.answers,
        cut_answers=tally.cut_answers,
        truncated_prompts=tally.truncated_prompts,
        notes=tuple(notes),
        record=recording.path,
    )
