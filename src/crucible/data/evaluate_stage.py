"""The stage `evaluate`: asks a model every item of a dataset, keeps every answer, and says how right it was.

The scores of the items are a file of the run, so that any later stage can compare two models item by item.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import msgspec
from pydantic import BaseModel, Field

from crucible.backends.protocols import Sampler
from crucible.backends.records import SamplingParams
from crucible.data.base_refusals import base_problems
from crucible.data.base_sampler import base_of_model, find_base
from crucible.data.dataset import Dataset
from crucible.data.evaluation import EvalResult, aevaluate
from crucible.data.scorers import scorer_names
from crucible.errors import BackendError, ContractError
from crucible.ir import Experiment, Seq, atomic_write, did_you_mean
from crucible.pipeline import Context, StageBase, StageOptions
from crucible.stats import interval_level

__all__ = ["EvaluateOptions", "EvaluateStage"]


class EvaluateOptions(StageOptions):
    """Options of `evaluate`."""

    model: str = Field(default="base", min_length=1, description="base, or the name that a training stage gave.")
    label: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="Name of the scores; default: model."
    )
    dataset: str = Field(default="test", min_length=1, description="Dataset: test or train.")
    scorers: Seq[str] = Field(default=("exact_match",), min_length=1, description="How answers are scored.")
    max_tokens: int = Field(default=64, ge=1, description="Most tokens of an answer.")
    temperature: float = Field(default=0.0, ge=0, description="0 takes the likeliest token each time.")
    seed: int | None = Field(
        default=None, ge=0, description="Seed of the draws; default: training_config.seed, else 0."
    )
    stop: Seq[str] = Field(default=(), description="Texts that end an answer.")
    limit: int | None = Field(default=None, ge=1, description="Items at most; the same ones for every model.")
    batch_size: int = Field(default=16, ge=1, description="Prompts a call of the sampler.")
    failures: Literal["exclude", "zero", "abort"] = Field(
        default="exclude", description="Items that failed: out of the mean, a zero in it, or the end of the stage."
    )
    base_model: str | None = Field(
        default=None,
        min_length=1,
        description="The base model; default: what this run trained on, else training_config's, else baseline.",
    )


class EvaluateStage(StageBase):
    """Ask a model every test item and score the answers.

    Writes one line an item to `evaluate/<label>.jsonl` (artifact `scores.<label>`), counts, means and intervals to the
    metric `evaluate.<label>`, and how the answers were drawn to `generation.<label>`.
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
        """Return unknown scorers, empty stop texts, and a base model that would not be read, or not as it is named."""
        known = scorer_names()
        found = [
            (f"scorers[{place}]", f'unknown scorer "{name}"; known: {", ".join(known)}{did_you_mean(name, known)}')
            for place, name in enumerate(options.scorers)
            if name not in known
        ]
        if not all(options.stop):
            found.append(("stop", "an empty text would end every answer at once"))
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
            ContractError: No stage provides the dataset or the model, the label was used before, or `base` can mean
                two base models.
            BackendError: The base model cannot be loaded, or not one item was answered.
            DataError: A scorer does not fit the dataset.
            StoreError: The scores cannot be written.
        """
        label = options.label or options.model
        if context.has_metric(f"evaluate.{label}"):
            raise ContractError(f'"{label}" was evaluated before in this run; give this stage another label')
        dataset: Dataset = context.resource(options.dataset)
        if options.limit is not None:
            dataset = dataset.sample(options.limit, 0)
        context, sampler, base_model = _sampler(context, options)
        params = _params(context.experiment, options)
        reliability = context.experiment.reliability
        result = await aevaluate(
            sampler,
            dataset,
            options.scorers,
            params=params,
            batch_size=options.batch_size,
            model=label,
            failures=options.failures,
            level=interval_level(reliability.stats if reliability else None),
        )
        if all(item.output is None for item in result.items):
            first = msgspec.to_builtins(next(iter(result.items[0].outcomes.values())))
            raise BackendError(
                f"{label} answered none of {len(dataset)} items; the first: {first['error']}", backend=label
            )
        path = context.workspace / "evaluate" / f"{label}.jsonl"
        atomic_write(path, _lines(dataset, result))
        adapter = f"adapter.{options.model}"
        tuned = [adapter] if context.has_artifact(adapter) else []
        context = context.add_file(f"scores.{label}", path, media_type="application/jsonl", made_from=tuned)
        means = {name: summary.to_dict() for name, summary in result.summaries.items()}
        drawn = {
            "model": options.model,
            "base_model": base_model,
            "device": sampler.device,
            "dtype": sampler.dtype,
            **_generation(options, params, dataset, result),
        }
        return context.merge_metrics({f"evaluate.{label}": means, f"generation.{label}": drawn})

    def rebuild(self, context: Context, options: EvaluateOptions) -> Context:
        """Return the context: the scores are in the run's files, and a stage that needs the base model loads it."""
        del options
        return context


def _sampler(context: Context, options: EvaluateOptions) -> tuple[Context, Sampler, str | None]:
    """Return what is evaluated and the base model behind it, None where nobody says."""
    if options.model == "base":
        return find_base(context, options.base_model)
    return context, context.resource(f"sampler.{options.model}"), base_of_model(context, options.model)


def _params(experiment: Experiment, options: EvaluateOptions) -> SamplingParams:
    training = experiment.training_config
    seed = options.seed if options.seed is not None else (training.seed if training else None)
    return SamplingParams(
        max_tokens=options.max_tokens, temperature=options.temperature, seed=seed or 0, stop=tuple(options.stop)
    )


def _lines(dataset: Dataset, result: EvalResult) -> bytes:
    """Return one JSON object an item, stamped where the data is made up; the form that `crucible.stats` reads."""
    stamp = {"synthetic": True} if dataset.provenance.synthetic else {}
    return b"".join(
        msgspec.json.encode(
            {
                "id": item.id,
                "input": item.input,
                "expected": item.expected,
                "output": found.output,
                "stop_reason": found.stop_reason,
                "scores": found.outcomes,
                **stamp,
            }
        )
        + b"\n"
        for item, found in zip(dataset, result.items, strict=True)
    )


def _generation(
    options: EvaluateOptions, params: SamplingParams, dataset: Dataset, result: EvalResult
) -> dict[str, Any]:
    drawn = msgspec.to_builtins(params)
    del drawn["seeds"]  # they follow from the seed and the items
    return {
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
