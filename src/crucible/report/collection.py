"""From a run's context to the content of a report: gathers, names what is missing, computes nothing but words.

Tolerant on purpose: a report that fails at the end of a long run helps nobody, so a part of an unknown shape is left
out and named in `missing`.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from crucible import ir
from crucible.pipeline import Context
from crucible.report import _reading as reading
from crucible.report.answers import sample_answers
from crucible.report.cautions import cautions
from crucible.report.findings import Evaluation
from crucible.report.measurements import read_contrasts, read_evaluation, read_group_tests, read_groups, settle_units
from crucible.report.results import DatasetFacts, LossPoint, Provenance, Results, Samples, Training
from crucible.report.wording import SYNTHETIC

__all__ = ["SAMPLE_SIZE", "build_results"]

SAMPLE_SIZE = 5
"""Items shown in full."""

# What is shown of `assigns.provenance`: it may hold what the caller handed over, which a report never repeats.
_RUN_FACTS = ("source", "experiment_hash", "started_at", "store", "platform")


def build_results(context: Context, *, samples: int = SAMPLE_SIZE) -> dict[str, Any]:
    """Return everything a report shows, as plain data; see `results.Results` for the shape.

    Args:
        context: Of a run that went through any of training, evaluation and comparison, or none of them.
        samples: Items to show in full at most, at least 0.
    """
    missing: list[str] = []
    metrics = {str(key): value for key, value in context.metrics.items()}
    evaluations = [
        read_evaluation(label, value, metrics.get(f"generation.{label}"))
        for label, value in _named("evaluate.", metrics).items()
    ]
    bench = reading.mapping(metrics.get("bench"))
    compared = read_groups(bench)
    settle_units([*evaluations, *compared])
    data, datasets = _data(metrics.get("data"))
    training = _training(context, metrics, missing)
    made = [*(model.facts for model in training), *(evaluation.generation for evaluation in evaluations)]
    synthetic = _synthetic([data, *(part.facts for part in datasets), *made])
    results = Results(
        experiment_id=context.experiment.id,
        run_id=context.run_id,
        description=context.experiment.description,
        synthetic=synthetic,
        stamp=SYNTHETIC if synthetic else None,
        metric=reading.text(bench.get("metric")),
        failure_policy=reading.text(bench.get("failures")),
        group_tests=read_group_tests(bench),
        contrasts=read_contrasts(bench, [*evaluations, *compared]),
        evaluations=[*evaluations, *compared],
        training=training,
        samples=_samples(context, evaluations, samples, missing),
        data=data,
        datasets=datasets,
        configuration=ir.to_dict(context.experiment),
        provenance=_provenance(reading.mapping(context.assigns.get("provenance")), missing),
        other=_other(metrics),
        missing=missing,
    )
    left_out = [f"bench: {line}." for line in reading.listing(bench.get("left_out"))]
    results.cautions = [*_warnings(metrics.get("validation")), *cautions(results), *left_out]
    _name_missing(results, reading.text(bench.get("no_data")) or reading.text(bench.get("not_tested")))
    return msgspec.to_builtins(results)


def _named(prefix: str, metrics: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the metrics `<prefix><name>` that are mappings, by name."""
    return {
        name.removeprefix(prefix): found
        for name, value in metrics.items()
        if name.startswith(prefix) and (found := reading.mapping(value))
    }


def _other(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return what no other part of the report shows; warnings of the document stand among the cautions."""
    other = {name: value for name, value in metrics.items() if not _is_shown(name, value)}
    if validation := reading.mapping(other.get("validation")):
        other["validation"] = {name: value for name, value in validation.items() if name != "warnings"}
    return other


def _is_shown(name: str, value: object) -> bool:
    is_ours = name in ("bench", "data") or name.startswith(("evaluate.", "generation.", "train."))
    return is_ours and bool(reading.mapping(value))


def _warnings(validation: object) -> list[str]:
    return [
        f"The document was found at fault: {line}"
        for line in reading.listing(reading.mapping(validation).get("warnings"))
    ]


def _name_missing(results: Results, not_tested: str | None) -> None:
    if not results.evaluations:
        results.missing.insert(0, "No model was evaluated in this run.")
    if not results.contrasts and not results.group_tests:
        why = f": {not_tested.rstrip('.')}" if not_tested else " in this run"
        results.missing.insert(0, f"No difference was tested{why}.")
    if not results.training:
        results.missing.append("No model was trained in this run.")
    if results.synthetic is None:
        results.missing.append("The run does not say whether its data is synthetic.")


def _training(context: Context, metrics: dict[str, Any], missing: list[str]) -> list[Training]:
    models: list[Training] = []
    for model, facts in _named("train.", metrics).items():
        config = reading.mapping(facts.pop("config", None))
        models.append(Training(model=model, facts=facts, config=config, history=_history(context, model, missing)))
    return models


def _history(context: Context, model: str, missing: list[str]) -> list[LossPoint]:
    name = f"history.{model}"
    if name not in context.artifacts:
        missing.append(f"No loss history was recorded for {model}.")
        return []
    try:
        entries = reading.listing(json.loads(context.artifact_path(name).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        missing.append(f"The loss history of {model} could not be read ({error}).")
        return []
    points = [
        LossPoint(
            step=step, loss=reading.real(entry.get("loss")), validation_loss=reading.real(entry.get("validation_loss"))
        )
        for entry in map(reading.mapping, entries)
        if (step := reading.whole(entry.get("step"))) is not None
    ]
    return sorted(points, key=lambda point: point.step)


def _samples(context: Context, evaluations: list[Evaluation], size: int, missing: list[str]) -> Samples | None:
    labels = [evaluation.label for evaluation in evaluations]
    files = {
        label: context.artifact_path(f"scores.{label}") for label in labels if f"scores.{label}" in context.artifacts
    }
    if not files or size == 0:
        return None
    try:
        return sample_answers(files, size)
    except (OSError, ValueError) as error:
        missing.append(f"The models' answers could not be read ({error}).")
        return None


def _data(value: object) -> tuple[dict[str, Any], list[DatasetFacts]]:
    """Return the facts of the dataset as a whole, and those of each part."""
    parts = reading.mapping(value)
    nested = {name: found for name, inner in parts.items() if (found := reading.mapping(inner))}
    whole = _flat({name: inner for name, inner in parts.items() if name not in nested} | nested.pop("provenance", {}))
    return whole, [DatasetFacts(role=name, facts=_flat(inner)) for name, inner in nested.items()]


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name, inner in value.items():
        if nested := reading.mapping(inner):
            facts |= _flat(nested)
        elif inner not in (None, "", {}, []):
            facts[name] = inner
    return facts


def _synthetic(facts: list[dict[str, Any]]) -> bool | None:
    flags = [found for part in facts if (found := reading.flag(part.get("synthetic"))) is not None]
    return any(flags) if flags else None


def _provenance(value: dict[str, Any], missing: list[str]) -> Provenance:
    command = reading.text(value.get("command"))
    if command is None:
        missing.append("No command was recorded that reproduces the run.")
    versions = {
        name: version for name, inner in reading.mapping(value.get("versions")).items() if (version := _word(inner))
    }
    facts = {name: found for name in _RUN_FACTS if (found := _word(value.get(name)))}
    return Provenance(command=command, seed=reading.whole(value.get("seed")), versions=versions, facts=facts)


def _word(value: object) -> str | None:
    """Return text, or a number as text; nothing of what has parts."""
    return str(value) if isinstance(value, (int, float)) else reading.text(value)
