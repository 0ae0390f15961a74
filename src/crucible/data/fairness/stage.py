"""The stage `fairness`: are the groups that a dataset names treated alike by an evaluated model?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel

from crucible import events
from crucible.data.checks_examples import label_problems
from crucible.data.dataset import Dataset
from crucible.data.fairness.assessing import assess_subjects
from crucible.data.fairness.reading import read_subjects
from crucible.data.fairness.result import FairnessResult
from crucible.data.fairness.rules import Judgement
from crucible.data.fairness.settings import (
    FairnessOptions,
    Settings,
    evaluation_problems,
    resolve,
    setting_problems,
)
from crucible.errors import ContractError, DataError
from crucible.ir import Experiment, atomic_write, did_you_mean
from crucible.pipeline import Context, StageBase

__all__ = ["FairnessStage"]

_SCORES = "scores."


class FairnessStage(StageBase):
    """Compare groups of items by how a model answered them.

    Reads the file of scores of one evaluation and the groups from the dataset's metadata. Writes rates, gaps and one
    judgement a metric to the metric `fairness` and to the file `fairness.json` (artifact `fairness`). What
    `reliability.fairness` of the document says holds where no option is given.
    """

    name: ClassVar[str] = "fairness"
    Options: ClassVar[type[BaseModel]] = FairnessOptions
    reads: ClassVar[frozenset[str] | None] = frozenset(
        {
            "reliability.fairness",
            "reliability.stats.alpha",
            "reliability.stats.confidence_level",
            "reliability.stats.multiple_testing_correction",
        }
    )

    def check(self, experiment: Experiment, options: FairnessOptions) -> list[tuple[str, str]]:
        """Return what cannot be carried out, and a second stage with the same label."""
        return [
            *label_problems(experiment, self.name, options.label),
            *setting_problems(options, experiment),
            *evaluation_problems(options, experiment, self.name),
        ]

    def announces(self, experiment: Experiment, options: FairnessOptions) -> Mapping[str, Any]:
        """Return nothing: no stage after this one needs to know what it leaves."""
        del experiment, options
        return {}

    def run(self, context: Context, options: FairnessOptions) -> Context:
        """Compare the groups of one evaluation.

        Raises:
            ContractError: The settings cannot be carried out, the evaluation or its dataset is not there, or an earlier
                stage wrote its results under the same label.
            DataError: No item has the fields, there are too many groups, or a violation is to end the run.
            StatsError: An item failed under `abort`.
            StoreError: The scores cannot be read, or the results not written.
            MissingExtra: scipy is not installed.
        """
        name = f"fairness.{options.label}" if options.label else "fairness"
        if context.has_metric(name):
            raise ContractError(f"{name} was written by an earlier stage; give this one another label")
        if problems := setting_problems(options, context.experiment):
            raise ContractError("; ".join(f"{path}: {message}" for path, message in problems))
        settings = resolve(options, context.experiment)
        label = _evaluation(context, settings.options.evaluation)
        dataset = _dataset(context, label)
        path = context.artifact_path(f"{_SCORES}{label}")
        found = read_subjects(path, dataset, settings.group_by, settings.metrics, settings.options)
        result = assess_subjects(found.subjects, settings.metrics, settings.rules)
        result = msgspec.structs.replace(result, cautions=found.cautions)
        _decide(label, result, settings)
        if settings.fails and (wording := _violation(result, settings.options.fail_on)):
            raise DataError(f"{wording} (fail_on_violation)")
        facts = {
            "evaluation": label,
            "dataset": dataset.name,
            "synthetic": dataset.provenance.synthetic,
            "group_by": list(settings.group_by),
            "scorer": found.scorer,
            **result.to_dict(),
        }
        file = context.workspace / f"{name}.json"
        atomic_write(file, msgspec.json.format(msgspec.json.encode(facts), indent=1) + b"\n")
        context = context.add_file(name, file, media_type="application/json", made_from=[f"{_SCORES}{label}"])
        return context.put_metric(name, facts)

    def rebuild(self, context: Context, options: FairnessOptions) -> Context:
        """Return the context: nothing of this stage lives in the process."""
        del options
        return context


def _evaluation(context: Context, asked: str | None) -> str:
    known = [name.removeprefix(_SCORES) for name in context.artifacts if name.startswith(_SCORES)]
    if asked is None and len(known) == 1:
        return known[0]
    listed = ", ".join(known) or "none"
    if asked is None:
        raise ContractError(f"name the evaluation to look at; the run has: {listed}")
    if asked not in known:
        raise ContractError(f'no evaluation is labelled "{asked}"{did_you_mean(asked, known)}; evaluated: {listed}')
    return asked


def _dataset(context: Context, label: str) -> Dataset:
    """Return the dataset that was evaluated, which the evaluation wrote down."""
    role = context.get_metric(f"generation.{label}", {}).get("dataset_role", "test")
    found = context.resource(role)
    if not isinstance(found, Dataset):
        raise ContractError(f'"{role}" is a {type(found).__name__} and no dataset, so nobody knows the groups')
    return found


def _violation(result: FairnessResult, fail_on: str) -> str:
    """Return what to say of the violations that end the run; empty if there is none."""
    bad = {Judgement.CLEAR} if fail_on == "clear" else {Judgement.CLEAR, Judgement.POSSIBLE}
    return " ".join(each.wording for each in result.findings if each.judgement in bad).rstrip(".")


def _decide(label: str, result: FairnessResult, settings: Settings) -> None:
    for one in result.findings:
        what = one.judgement.value.replace("_", " ")
        others = [other.value.replace("_", " ") for other in Judgement if other is not one.judgement]
        about = {"metric": one.metric, "evaluation": label, "group_by": list(settings.group_by)}
        title = f"{one.metric} of {label} by {', '.join(settings.group_by)}: {what}"
        events.decision(title, one.wording, alternatives=others, type="constraint_evaluated", metadata=about)
