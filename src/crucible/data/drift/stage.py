"""The stage `drift`: is the current sample distributed as the reference was?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel

from crucible import events
from crucible.data.checks_examples import label_problems
from crucible.data.drift.comparing import compare_samples
from crucible.data.drift.reading import SampleRead, read_sample
from crucible.data.drift.result import DriftResult
from crucible.data.drift.settings import DriftOptions, evaluation_problems, fields_of, resolve, setting_problems
from crucible.errors import ContractError, DataError
from crucible.ir import Experiment, atomic_write
from crucible.pipeline import Context, StageBase

__all__ = ["DriftStage"]


class DriftStage(StageBase):
    """Test whether two samples have the same distribution, field by field.

    Compares two datasets, two evaluations or two lists of rows. Writes one test a field (of text, two), corrected for
    each other, to the metric `drift` and to the file `drift.json` (artifact `drift`). What `reliability.drift` of the
    document says holds where no option is given.
    """

    name: ClassVar[str] = "drift"
    Options: ClassVar[type[BaseModel]] = DriftOptions
    reads: ClassVar[frozenset[str] | None] = frozenset({"reliability.drift"})

    def check(self, experiment: Experiment, options: DriftOptions) -> list[tuple[str, str]]:
        """Return what cannot be carried out, and a second stage with the same label."""
        return [
            *label_problems(experiment, self.name, options.label),
            *setting_problems(options, experiment),
            *evaluation_problems(options, experiment, self.name),
        ]

    def announces(self, experiment: Experiment, options: DriftOptions) -> Mapping[str, Any]:
        """Return nothing: no stage after this one needs to know what it leaves."""
        del experiment, options
        return {}

    def run(self, context: Context, options: DriftOptions) -> Context:
        """Compare the two samples.

        Raises:
            ContractError: The settings cannot be carried out, a sample is not there, or an earlier stage wrote its
                results under the same label.
            DataError: A field is in neither sample or holds what cannot be compared, or drift is to end the run.
            StoreError: An evaluation cannot be read, or the results not written.
            MissingExtra: scipy is not installed.
        """
        name = f"drift.{options.label}" if options.label else "drift"
        if context.has_metric(name):
            raise ContractError(f"{name} was written by an earlier stage; give this one another label")
        if problems := setting_problems(options, context.experiment):
            raise ContractError("; ".join(f"{path}: {message}" for path, message in problems))
        reference, current = (read_sample(context, each) for each in (options.reference, options.current))
        result = compare_samples(
            reference.columns,
            current.columns,
            fields=fields_of(options, context.experiment),
            kinds=options.kinds,
            rules=resolve(options, context.experiment),
        )
        result = msgspec.structs.replace(result, cautions=_cautions(reference, current, result))
        _decide(reference, current, result)
        if options.fail_on_drift and result.drifted:
            raise DataError(f"{result.wording.rstrip('.')} (fail_on_drift)")
        facts = {
            "reference": {"name": reference.name, "rows": reference.rows},
            "current": {"name": current.name, "rows": current.rows},
            **result.to_dict(),
        }
        file = context.workspace / f"{name}.json"
        atomic_write(file, msgspec.json.format(msgspec.json.encode(facts), indent=1) + b"\n")
        sources = [*reference.artifacts, *current.artifacts]
        context = context.add_file(name, file, media_type="application/json", made_from=sources)
        return context.put_metric(name, facts)

    def rebuild(self, context: Context, options: DriftOptions) -> Context:
        """Return the context: nothing of this stage lives in the process."""
        del options
        return context


def _cautions(reference: SampleRead, current: SampleRead, result: DriftResult) -> tuple[str, ...]:
    found = [*reference.cautions, *current.cautions]
    if shared := len(reference.ids & current.ids):
        found.append(
            f"{shared} items are in both samples, and the tests take the samples as independent: for two models on the "
            "same items use the stage bench"
        )
    if not result.tests and not result.untested:
        found.append("no field is numeric, so nothing was tested; name fields")
    return tuple(found)


def _decide(reference: SampleRead, current: SampleRead, result: DriftResult) -> None:
    what = result.status.replace("_", " ")
    others = [each for each in ("drift found", "no drift found", "nothing tested") if each != what]
    events.decision(
        f"{current.name} against {reference.name}: {what}",
        result.wording,
        alternatives=others,
        type="constraint_evaluated",
        metadata={"reference": reference.name, "current": current.name, "drifted": list(result.drifted)},
    )
