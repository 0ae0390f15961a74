"""The options of the stage `register_model`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from crucible.errors import SpecError
from crucible.ir import Model, Seq
from crucible.pipeline import StageOptions
from crucible.store.models import Version, check_label, check_model, check_tags
from crucible.train.registry.details import parents_of
from crucible.train.registry.direction import direction_for
from crucible.train.registry.gates import Gates, NonInferiority

__all__ = ["GateOptions", "NonInferiorityOptions", "RegisterModelOptions"]


class NonInferiorityOptions(Model):
    """That the version is no worse than the one in production, by a margin or more."""

    metric: str = Field(min_length=1, description="Score of the evaluation.")
    margin: float = Field(gt=0, description="How much worse would not matter, in units of the score.")
    alpha: float = Field(default=0.05, gt=0, lt=0.5, description="Type-I error rate of the one-sided test.")
    direction: Literal["min", "max"] | None = Field(
        default=None, description="Which side is better; null: as the metric's name says."
    )
    failures: Literal["abort", "exclude", "zero"] = Field(
        default="abort", description="What an item that failed counts as; abort: no test is made."
    )

    def to_gate(self) -> NonInferiority:
        """Return the gate.

        Raises:
            SpecError: `failures: zero` would make a failed item the best there is.
        """
        return NonInferiority(
            metric=self.metric,
            margin=self.margin,
            alpha=self.alpha,
            direction=self.direction,
            failures=self.failures,
        )


class GateOptions(Model):
    """What the version must show to be promoted."""

    thresholds: Seq[str] = Field(default=(), description="Conditions on metrics, such as exact_match>=0.8.")
    non_inferiority: Seq[NonInferiorityOptions] = Field(
        default=(), description="Tests against the version in production, on the scores item by item."
    )


class RegisterModelOptions(StageOptions):
    """Options of `register_model`."""

    model: str = Field(default="tuned", min_length=1, description="The model of this run, as its training named it.")
    name: str | None = Field(default=None, description="Name in the registry; null: the experiment's id.")
    version: str | None = Field(default=None, description="Semantic version; null: the next one, by bump.")
    bump: Literal["major", "minor", "patch", "prerelease"] = Field(
        default="minor", description="What is raised where no version is given."
    )
    label: str = Field(default="rc", description="Word of a pre-release.")
    description: str | None = Field(default=None, description="What is new in it.")
    tags: Seq[str] = Field(default=(), description="Words for people.")
    parents: dict[str, Seq[str]] = Field(
        default_factory=dict, description="What it came of, by relation: {fine_tuned_from: [triage@1.0.0]}."
    )
    evaluation: str | None = Field(default=None, description="Label of its evaluation; null: the one of its own name.")
    promote_to: Literal["staging", "production"] | None = Field(
        default=None, description="Stage to promote it to, if it passes the gates; null: it stays in development."
    )
    gates: Annotated[GateOptions, Field(description="What it must show to be promoted.")] = GateOptions()
    keep_current: bool = Field(default=False, description="Leave what is in production there, beside it.")
    why: str | None = Field(
        default=None, description="Why it is promoted; null: what is new in it, or the experiment's id."
    )
    on_refused: Literal["report", "fail"] = Field(
        default="report", description="It does not pass its gates: say so, or fail the stage."
    )

    def to_gates(self) -> Gates:
        """Return the gates.

        Raises:
            SpecError: A condition cannot be read, or asks for the worse side of a metric.
        """
        return Gates.of(self.gates.thresholds, [each.to_gate() for each in self.gates.non_inferiority])

    def problems(self, experiment_id: str) -> list[tuple[str, str]]:
        """Return what of these options cannot be carried out, as (path, what to do)."""
        found: list[tuple[str, str]] = []
        checks: dict[str, Callable[[], object]] = {
            "name": lambda: check_model(experiment_id if self.name is None else self.name),
            "version": lambda: self.version is None or Version.parse(self.version),
            "label": lambda: check_label(self.label),
            "tags": lambda: check_tags(self.tags),
            "parents": lambda: parents_of(self.parents),
        }
        for path, check in checks.items():
            try:
                check()
            except SpecError as error:
                found.append((path, str(error)))
        for place, text in enumerate(self.gates.thresholds):
            try:
                Gates.of(text)
            except SpecError as error:
                found.append((f"gates.thresholds[{place}]", str(error)))
        for place, each in enumerate(self.gates.non_inferiority):
            try:
                direction_for(each.to_gate().metric, each.direction)
            except SpecError as error:
                found.append((f"gates.non_inferiority[{place}]", str(error)))
        return found + self._idle()

    def _idle(self) -> list[tuple[str, str]]:
        """Return the options that are set and change nothing."""
        found: list[tuple[str, str]] = []
        if self.version is not None and self.bump != "minor":
            found.append(("bump", "changes nothing beside version; leave one of them out"))
        if self.label != "rc" and (self.version is not None or self.bump != "prerelease"):
            found.append(("label", "changes nothing without bump: prerelease; set it, or leave this out"))
        if self.promote_to is None:
            asked = {
                "gates": self.gates != GateOptions(),
                "keep_current": self.keep_current,
                "why": self.why is not None,
                "on_refused": self.on_refused != "report",
            }
            found += [
                (name, "changes nothing without promote_to; set it, or leave this out")
                for name, is_said in asked.items()
                if is_said
            ]
        elif self.keep_current and self.promote_to == "staging":
            found.append(("keep_current", "changes nothing on the way to staging; leave it out"))
        return found
