"""The shape of a report's content, free of any format: what `build_results` gives and every renderer reads.

Types only; nothing here opens a file or words a sentence. Every field has a default, because a run may lack any part:
None and an empty list mean "not recorded", never zero.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from crucible.report.findings import Contrast, Evaluation, GroupTest

__all__ = ["Answer", "DatasetFacts", "LossPoint", "Provenance", "Results", "SampleItem", "Samples", "Training"]


class LossPoint(msgspec.Struct):
    """One entry of a training history.

    Args:
        step: Optimiser step, counted from 1 (0 is before the first).
        loss: Training loss of the step, in nats per answer token.
        validation_loss: Loss on the validation items, where measured.
    """

    step: int
    loss: float | None = None
    validation_loss: float | None = None


class Training(msgspec.Struct):
    """One trained model: its facts, resolved configuration and loss by step.

    Args:
        model: Name of the result.
        facts: Single values such as `initial_loss`, `steps`, `kept_step`.
        config: The configuration that was used, every field resolved.
        history: By step, ascending.
    """

    model: str
    facts: dict[str, Any] = {}
    config: dict[str, Any] = {}
    history: list[LossPoint] = []


class Answer(msgspec.Struct):
    """What one model answered to one item.

    Args:
        label: The evaluation.
        output: The answer's text; None if there is none.
        scores: Scorer to outcome (`{"kind": "scored", "value": 1.0}`).
    """

    label: str
    output: str | None = None
    scores: dict[str, dict[str, Any]] = {}


class SampleItem(msgspec.Struct):
    """One evaluated item with every model's answer, in the order of the evaluations."""

    id: str
    input: str | None = None
    expected: str | None = None
    answers: list[Answer] = []


class Samples(msgspec.Struct):
    """Items shown in full, and the rule that chose them.

    Args:
        rule: How the items were chosen, in one sentence.
        items: In the order of the rule.
    """

    rule: str = ""
    items: list[SampleItem] = []


class DatasetFacts(msgspec.Struct):
    """Where data came from.

    Args:
        role: What the run used it for, such as `train` or `test`.
        facts: Single values such as `source`, `revision`, `sha256`, `items`, `synthetic`.
    """

    role: str
    facts: dict[str, Any] = {}


class Provenance(msgspec.Struct):
    """How the run came about and how to do it again.

    Args:
        command: Shell command that reproduces the run.
        seed: Seed given to the run.
        versions: Package or program to version.
        facts: Further single values such as `source`, `experiment_hash`, `started_at`, `platform`.
    """

    command: str | None = None
    seed: int | None = None
    versions: dict[str, str] = {}
    facts: dict[str, Any] = {}


class Results(msgspec.Struct):
    """Everything a report shows.

    Args:
        experiment_id: Name of the experiment.
        run_id: The run.
        description: The question asked.
        synthetic: Whether any of the data was made by a generator; None if the run does not say.
        stamp: Words that every rendering of made-up data bears; None where the data is not known to be such.
        metric: Scorer that the contrasts compare; None where they compare several.
        failure_policy: What the comparison does with items that failed: `exclude`, `zero` or `abort`.
        group_tests: Tests of several groups at once.
        contrasts: Tested differences.
        cautions: What could mislead, one sentence each.
        evaluations: Scores by model, in the order the run made them.
        training: Trained models, in the order the run made them.
        samples: Items with the models' answers.
        data: Facts of the dataset as a whole.
        datasets: Where each part of it came from.
        configuration: The experiment document, every field.
        provenance: How to do it again.
        other: Metrics that no part above shows, as they were recorded.
        missing: What the run did not record, one sentence each.
        schema_version: Of this shape.
    """

    experiment_id: str = "experiment"
    run_id: str = ""
    description: str | None = None
    synthetic: bool | None = None
    stamp: str | None = None
    metric: str | None = None
    failure_policy: str | None = None
    group_tests: list[GroupTest] = []
    contrasts: list[Contrast] = []
    cautions: list[str] = []
    evaluations: list[Evaluation] = []
    training: list[Training] = []
    samples: Samples | None = None
    data: dict[str, Any] = {}
    datasets: list[DatasetFacts] = []
    configuration: dict[str, Any] = {}
    provenance: Provenance = msgspec.field(default_factory=Provenance)
    other: dict[str, Any] = {}
    missing: list[str] = []
    schema_version: Literal[1] = 1
