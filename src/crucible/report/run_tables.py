"""Tables of how the run was made: training facts, losses, settings, data, versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from crucible.report import number
from crucible.report.results import LossPoint, Results
from crucible.report.table import Cell, Column, Row, Table, facts_table, shown

__all__ = [
    "configuration_tables",
    "dataset_tables",
    "environment_tables",
    "generation_table",
    "loss_table",
    "training_table",
]

_MAX_LOSS_ROWS = 12
_LOSS_NOTE = (
    "Initial and final loss are means over a fixed sample of training items without dropout; the losses by step are "
    "those of each batch as it was trained on."
)


def training_table(results: Results) -> Table | None:
    """Return the facts of the trained models, one column a model."""
    facts = {training.model: training.facts for training in results.training}
    table = facts_table("training", "What the trainings did", "Fact", facts)
    if table is None or not any("initial_loss" in part for part in facts.values()):
        return table
    return replace(table, notes=(_LOSS_NOTE,))


def loss_table(results: Results) -> Table | None:
    """Return the losses at the validated steps and at both ends, thinned evenly to twelve rows."""
    histories = {training.model: {point.step: point for point in training.history} for training in results.training}
    histories = {model: points for model, points in histories.items() if points}
    chosen: set[int] = set()
    for points in histories.values():
        chosen |= {min(points), max(points)}
        chosen |= {step for step, point in points.items() if point.validation_loss is not None}
    steps = _thinned(sorted(chosen), _MAX_LOSS_ROWS)
    if not steps:
        return None
    has_validation = any(p.validation_loss is not None for points in histories.values() for p in points.values())
    columns = [Column("Step", True)]
    for model in histories:
        columns.append(Column(f"{model} loss", True))
        if has_validation:
            columns.append(Column(f"{model} validation", True))
    rows = tuple(
        Row(number.count(step), tuple(_loss_cells(histories, step, has_validation=has_validation))) for step in steps
    )
    return Table("losses", "Loss at selected steps, nats per answer token", tuple(columns), rows)


def _loss_cells(histories: Mapping[str, Mapping[int, LossPoint]], step: int, *, has_validation: bool) -> Iterable[Cell]:
    for points in histories.values():
        point = points.get(step) or LossPoint(step)
        yield Cell(number.loss_text(point.loss), point.loss)
        if has_validation:
            yield Cell(number.loss_text(point.validation_loss), point.validation_loss)


def _thinned(steps: list[int], limit: int) -> list[int]:
    if len(steps) <= limit:
        return steps
    return [steps[round(i * (len(steps) - 1) / (limit - 1))] for i in range(limit)]


def configuration_tables(results: Results) -> list[Table]:
    """Return the resolved training settings: those that differ between the models, then those that all share."""
    configs = {training.model: _settings(training.config) for training in results.training if training.config}
    keys = dict.fromkeys(key for config in configs.values() for key in config)
    differs = {key: len({config.get(key) for config in configs.values()}) > 1 for key in keys}
    differing = {model: {key: config.get(key) for key in keys if differs[key]} for model, config in configs.items()}
    first = next(iter(configs.values()), dict[str, str]())
    shared = {"Value": {key: first.get(key) for key in keys if not differs[key]}}
    caption = "Training settings shared by all models" if len(configs) > 1 else "Training settings"
    tables = [
        facts_table("settings-differing", "Training settings that differ", "Setting", differing, names="verbatim"),
        facts_table("settings-shared", caption, "Setting", shared, names="verbatim"),
    ]
    return [table for table in tables if table is not None]


def _settings(config: Mapping[str, Any]) -> dict[str, str]:
    return {key: "null" if value is None else shown(value) for key, value in config.items()}


def dataset_tables(results: Results) -> list[Table]:
    """Return the facts of the dataset, and where each part of it came from, one column a part."""
    parts = {part.role: part.facts for part in results.datasets}
    tables = [
        facts_table("dataset", "The dataset", "Fact", {"Value": results.data}),
        facts_table("data-parts", "Where the items came from", "Fact", parts),
    ]
    return [table for table in tables if table is not None]


def generation_table(results: Results) -> Table | None:
    """Return how the answers were made, one column a model."""
    facts = {evaluation.label: evaluation.generation for evaluation in results.evaluations if evaluation.generation}
    return facts_table("generation", "How the answers were made", "Fact", facts)


def environment_tables(results: Results) -> list[Table]:
    """Return how the run came about, and the versions it ran with."""
    provenance = results.provenance
    facts: dict[str, Any] = {"run": results.run_id} if results.run_id else {}
    facts |= {} if provenance.seed is None else {"seed": provenance.seed}
    tables = [
        facts_table("run", "Run", "Fact", {"Value": facts | provenance.facts}),
        facts_table("versions", "Versions", "Program", {"Version": provenance.versions}, names="verbatim"),
    ]
    return [table for table in tables if table is not None]
