"""The one stage of the pipeline itself: `validate` checks the document before anything costs time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from crucible.errors import SpecErrors
from crucible.ir import Experiment
from crucible.pipeline.context import Context
from crucible.pipeline.registry import current_registry
from crucible.pipeline.stage import StageBase, StageOptions
from crucible.pipeline.validation import pipeline_problems

__all__ = ["ValidateOptions", "ValidateStage"]


class ValidateOptions(StageOptions):
    """Options of `validate`."""

    strict: bool = Field(default=True, description="Problems end the run; false: they are written to the metrics.")


class ValidateStage(StageBase):
    """Check that every stage is registered and that its options can be carried out."""

    name: ClassVar[str] = "validate"
    Options: ClassVar[type[BaseModel]] = ValidateOptions
    reads: ClassVar[frozenset[str] | None] = frozenset()

    def announces(self, experiment: Experiment, options: ValidateOptions) -> Mapping[str, Any]:
        """Say that it leaves nothing that a later stage names."""
        del experiment, options
        return {}

    def run(self, context: Context, options: ValidateOptions) -> Context:
        """Check the whole pipeline.

        Raises:
            SpecErrors: There are problems and `strict` is on.
        """
        problems = pipeline_problems(context.experiment, current_registry())
        if problems and options.strict:
            raise SpecErrors(context.experiment.id, problems)
        status = "warnings" if problems else "passed"
        return context.put_metric("validation", {"status": status, "warnings": [str(problem) for problem in problems]})
