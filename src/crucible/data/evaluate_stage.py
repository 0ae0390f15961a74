"""The stage `evaluate`: asks a model every item of a dataset, keeps every answer, and says how right it was.

The scores of the items are a file of the run, so that any later stage can compare two models item by item. It is the
record of the evaluation, too: a run that was ended in the middle goes on at the item where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel

from crucible.backends.protocols import Sampler
from crucible.backends.records import SamplingParams
from crucible.data.base_refusals import base_problems
from crucible.data.base_sampler import base_of_model, find_base
from crucible.data.dataset import Dataset
from crucible.data.evaluating.about import about_path
from crucible.data.evaluating.options import EvalOptions
from crucible.data.evaluating.stage_options import EvaluateOptions
from crucible.data.evaluating.stage_quality import (
    check_classes,
    class_metrics,
    quality_facts,
    quality_problems,
    told_classes,
)
from crucible.data.evaluation import EvalResult, aevaluate
from crucible.data.scorers import scorer_problem
from crucible.errors import BackendError, ContractError
from crucible.ir import Experiment
from crucible.pipeline import Context, StageBase
from crucible.stats import interval_level
from crucible.telemetry.prices import PriceTable

__all__ = ["EvaluateOptions", "EvaluateStage"]


class EvaluateStage(StageBase):
    """Ask a model every test item and score the answers.

    Writes one line a measurement to `evaluate/<label>.jsonl` (artifact `scores.<label>`), counts, means and intervals
    to the metric `evaluate.<label>`, and how the answers were drawn to `generation.<label>`; where they were asked for,
    precision, recall and F1 of classes to `classification.<label>`, and how it stands with the quality targets to
    `quality.<label>`. A resumed run goes on after the last batch that was scored.
    """

    name: ClassVar[str] = "evaluate"
    Options: ClassVar[type[BaseModel]] = EvaluateOptions
    reads: ClassVar[frozenset[str] | None] = frozenset(
        {
            "baseline",
            "reliability.stats.alpha",
            "reliability.stats.confidence_level",
            "training_config.model_ref",
            "training_config.seed",
            "training_config.device",
        }
    )

    def check(self, experiment: Experiment, options: EvaluateOptions) -> list[tuple[str, str]]:
        """Return unknown scorers, empty stop texts, a limit on a cost that is unknown, and a base model that is amiss.

        Such a base model would not be read, or not as it is named.
        """
        found = [
            (f"scorers[{place}]", problem)
            for place, name in enumerate(options.scorers)
            if (problem := scorer_problem(name)) is not None
        ]
        found += quality_problems(tuple(options.scorers), options.classes, options.quality_targets)
        if options.on_missed_target == "fail" and not options.quality_targets:
            found.append(("on_missed_target", "fail needs quality_targets: without a target nothing is missed"))
        if not all(options.stop):
            found.append(("stop", "an empty text would end every answer at once"))
        if options.limits and options.limits.cost_usd is not None and options.prices is None:
            found.append(("limits.cost_usd", "needs prices: a file with what your provider asks for tokens"))
        if options.base_model is not None and options.model != "base":
            found.append(
                ("base_model", f"is read with model: base alone; {options.model} has the base it was trained on")
            )
        if options.model == "base" and options.base_model is None:
            found += base_problems(experiment, self.name)
        return found

    def announces(self, experiment: Experiment, options: EvaluateOptions) -> Mapping[str, Any]:
        """Say under which label there will be scores, by which scorers, and what becomes of items that fail."""
        del experiment
        facts = {"scorers": list(options.scorers), "failures": options.failures}
        return {f"scores.{options.label or options.model}": facts}

    async def run(self, context: Context, options: EvaluateOptions) -> Context:
        """Evaluate one model.

        Raises:
            ContractError: No stage provides the dataset or the model, the label was used before, `base` can mean
                two base models, or what is recorded is of another evaluation.
            BackendError: The base model cannot be loaded, or not one item was answered.
            DataError: A scorer does not fit the dataset, a limit cannot be held, or an expected answer is no class; a
                quality target is missed, under `on_missed_target: fail`.
            StoreError: The scores cannot be written.
        """
        label = options.label or options.model
        if context.has_metric(f"evaluate.{label}"):
            raise ContractError(f'"{label}" was evaluated before in this run; give this stage another label')
        dataset: Dataset = context.resource(options.dataset)
        if options.limit is not None:
            dataset = dataset.sample(options.limit, 0)
        if options.classes is not None:
            check_classes(options.classes, dataset)
        prices = options.price_table()
        context, sampler, base_model = _sampler(context, options)
        path = context.workspace / "evaluate" / f"{label}.jsonl"
        if not options.resume:
            path.unlink(missing_ok=True)
            about_path(path).unlink(missing_ok=True)
        adapter = context.get_artifact(f"adapter.{options.model}")
        identity = {"model": options.model, "base_model": base_model, "adapter": adapter and adapter.sha256}
        how = _how(context.experiment, options, prices, record=path, label=label, identity=identity)
        result = await aevaluate(sampler, dataset, options.scorers, how)
        _refuse_silence(label, result)
        tuned = [f"adapter.{options.model}"] if adapter else []
        context = context.add_file(f"scores.{label}", path, media_type="application/jsonl", made_from=tuned)
        means = {name: summary.to_dict() for name, summary in result.summaries.items()}
        classes = options.classes and told_classes(
            options.classes, dataset, result, level=how.level, seed=how.drawn.seed or 0
        )
        fails = options.on_missed_target == "fail"
        judged = quality_facts(label, result, classes, options.quality_targets, fails=fails)
        drawn = {
            "model": options.model,
            "base_model": base_model,
            "device": sampler.device,
            "dtype": sampler.dtype,
            **_generation(options, how.drawn, dataset, result, prices),
        }
        kept = {f"evaluate.{label}": means, f"generation.{label}": drawn}
        return context.merge_metrics({**kept, **class_metrics(label, classes), **judged})

    def rebuild(self, context: Context, options: EvaluateOptions) -> Context:
        """Return the context: the scores are in the run's files, and a stage that needs the base model loads it."""
        del options
        return context


def _sampler(context: Context, options: EvaluateOptions) -> tuple[Context, Sampler, str | None]:
    """Return what is evaluated and the base model behind it, None where nobody says."""
    if options.model == "base":
        return find_base(context, options.base_model)
    return context, context.resource(f"sampler.{options.model}"), base_of_model(context, options.model)


def _how(
    experiment: Experiment,
    options: EvaluateOptions,
    prices: PriceTable | None,
    *,
    record: Path,
    label: str,
    identity: dict[str, str | None],
) -> EvalOptions:
    """Return how to evaluate, with the document's seed and level where the stage has none of its own."""
    training, reliability = experiment.training_config, experiment.reliability
    seed = options.seed if options.seed is not None else (training.seed if training else None)
    params = SamplingParams(
        max_tokens=options.max_tokens, temperature=options.temperature, seed=seed or 0, stop=tuple(options.stop)
    )
    return EvalOptions(
        params=params,
        batch_size=options.batch_size,
        concurrency=options.concurrency,
        repeats=options.repeats,
        model=label,
        failures=options.failures,
        level=interval_level(reliability.stats if reliability else None),
        record=record,
        retry_failed=options.retry_failed,
        limits=options.limits_with(prices),
        timeout_s=options.timeout_s,
        attempts=options.attempts,
        scoring_threads=options.scoring_threads,
        identity=identity,
    )


def _refuse_silence(label: str, result: EvalResult) -> None:
    """Refuse an evaluation in which the model answered nothing: it says nothing of the model.

    Raises:
        BackendError: There is no answer; with the first reason.
    """
    if result.items and not result.answers:
        first = msgspec.to_builtins(next(iter(result.items[0].outcomes.values())))
        raise BackendError(
            f"{label} answered none of {len(result.items)} items; the first: {first['error']}", backend=label
        )


def _generation(
    options: EvaluateOptions,
    params: SamplingParams,
    dataset: Dataset,
    result: EvalResult,
    prices: PriceTable | None,
) -> dict[str, Any]:
    drawn = msgspec.to_builtins(params)
    del drawn["seeds"]  # they follow from the seed, the items and the repeats
    found = {
        "dataset": dataset.name,
        "dataset_role": options.dataset,
        "split": dataset.split,
        "items": len(dataset),
        "synthetic": dataset.provenance.synthetic,
        **drawn,
        "batch_size": options.batch_size,
        "cut_answers": result.cut_answers,
        "truncated_prompts": result.truncated_prompts,
        "prompt_tokens": result.prompt_tokens,
        "completion_tokens": result.completion_tokens,
    }
    if options.repeats > 1:
        found["repeats"] = options.repeats
    if result.status != "completed":
        found |= {"status": result.status, "reason": result.reason, "not_reached": result.not_reached}
    if prices is not None:
        found |= {"cost_usd": result.cost_usd, "prices_source": prices.source, "prices_date": prices.date}
    return found
