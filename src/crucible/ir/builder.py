"""Making an experiment in Python, step by step; nothing is checked before `build`, and then everything is.

    experiment = (
        ExperimentBuilder("triage")
        .with_backend("local")
        .with_dataset("tickets", split="train")
        .add_stage("validate")
        .with_stats(["mcnemar"], alpha=0.01)
        .build()
    )

A builder is never changed: each step returns the next one, so that variants share their beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast

from crucible.errors import SpecErrors
from crucible.ir.builder_draft import Draft, given, problem
from crucible.ir.builder_reliability import ReliabilityBuilder
from crucible.ir.experiment import Experiment, OutputSpec, StageDef
from crucible.ir.model import read_plain
from crucible.ir.read import from_dict
from crucible.ir.refs import BackendRef, DatasetRef, ModelRef, ModelVersion
from crucible.ir.training import TrainingConfig
from crucible.ir.validation import validate
from crucible.ir.wording_text import show

__all__ = ["ExperimentBuilder"]


class ExperimentBuilder(ReliabilityBuilder):
    """An experiment in the making.

    Each step takes a built part, or its first field and the others by keyword: the fields are those of the part's
    type, and `build` names those that it has not.

    Args:
        id: Name of the experiment.

    Attributes:
        draft: What was said so far.
    """

    def __init__(self, id: str) -> None:  # noqa: A002  # the field's name
        self.draft = Draft({"id": id})

    @classmethod
    def of(cls, experiment: Experiment) -> Self:
        """Begin with an experiment that exists, to make another of it."""
        made = cls(experiment.id)
        made.draft = Draft(given(experiment, "", {}))
        return made

    def _followed_by(self, draft: Draft) -> Self:
        after = type(self).__new__(type(self))
        after.draft = draft
        return after

    def _with(self, name: str, value: Any) -> Self:
        return self._followed_by(self.draft.put(name, value))

    def with_description(self, text: str) -> Self:
        """Say what question is asked."""
        return self._with("description", text)

    def with_owner(self, owner: str) -> Self:
        """Say who answers for it."""
        return self._with("owner", owner)

    def with_tags(self, *tags: str) -> Self:
        """Set the words to find it by."""
        return self._with("tags", list(tags))

    def with_metadata(self, entries: Mapping[str, Any] | None = None, /, **more: Any) -> Self:
        """Add entries to the metadata; those of the same name are replaced."""
        before: Any = self.draft.at("metadata")
        if not isinstance(before, (Mapping, type(None))):
            raise problem(f"metadata must be a map, got {show(before)}", "metadata", "type")
        return self._with("metadata", {**cast("Mapping[str, Any]", before or {}), **(entries or {}), **more})

    def with_experiment_type(self, experiment_type: str) -> Self:
        """Say what kind it is: evaluation, training, comparison, ablation or another word."""
        return self._with("experiment_type", experiment_type)

    def with_backend(self, id: str | BackendRef | None = None, /, **fields: Any) -> Self:  # noqa: A002  # the field's name
        """Say where models live: a backend and the fields of `BackendRef`."""
        return self._with("backend", given(id, "id", fields))

    def with_dataset(self, name: str | DatasetRef | None = None, /, **fields: Any) -> Self:
        """Say which data: a name and the fields of `DatasetRef`."""
        return self._with("dataset", given(name, "name", fields))

    def add_stage(self, name: str | StageDef | None = None, /, **fields: Any) -> Self:
        """Append a stage: a name and the fields of `StageDef`; `module` may be the class itself."""
        data = given(name, "name", fields)
        module = data.get("module")
        if callable(module):
            data["module"] = f"{module.__module__}:{getattr(module, '__qualname__', type(module).__qualname__)}"
        return self._with("pipeline", [*self._entries("pipeline"), data])

    def update_stage(self, name: str | int, /, **fields: Any) -> Self:
        """Merge fields into a stage, options key by key.

        Args:
            name: The entry's `id` or name, which must be the only one of that name, or its index.
            **fields: Fields of `StageDef`.

        Raises:
            SpecErrors: There is no such stage, or more than one.
        """
        return self._changed("pipeline", name, fields)

    def remove_stage(self, name: str | int, /) -> Self:
        """Leave a stage out.

        Args:
            name: As in `update_stage`.

        Raises:
            SpecErrors: There is no such stage, or more than one.
        """
        return self._changed("pipeline", name, None)

    def add_output(self, name: str | OutputSpec | None = None, /, **fields: Any) -> Self:
        """Append a result to hand out: a name and the fields of `OutputSpec`."""
        return self._with("outputs", [*self._entries("outputs"), given(name, "name", fields)])

    def remove_output(self, name: str | int, /) -> Self:
        """Leave a result out.

        Args:
            name: Its name, or its index.

        Raises:
            SpecErrors: There is no such output, or more than one.
        """
        return self._changed("outputs", name, None)

    def with_model_version(
        self, model_id: str | ModelVersion | None = None, version: str | None = None, /, **fields: Any
    ) -> Self:
        """Say which version of the model: its id, a semantic version and the fields of `ModelVersion`.

        The record's `id` is `gpt2_1_2_3` for version 1.2.3 of gpt2 unless the fields say otherwise.
        """
        data = given(model_id, "model_id", fields if version is None else {"version": version, **fields})
        if isinstance(data.get("version"), str) and isinstance(data.get("model_id"), str):
            data.setdefault("id", f"{data['model_id']}_{data['version'].replace('.', '_')}")
        return self._with("model_version", data)

    def with_baseline(self, model_id: str | ModelRef | None = None, /, **fields: Any) -> Self:
        """Say which model to compare against: its id and the fields of `ModelRef`."""
        return self._with("baseline", given(model_id, "id", fields))

    def with_training_config(
        self,
        model_ref: str | ModelRef | TrainingConfig | None = None,
        dataset_ref: str | DatasetRef | None = None,
        /,
        **fields: Any,
    ) -> Self:
        """Say how to train: a model, a dataset and the fields of `TrainingConfig`, each of which is kept.

        The configuration's `id` is `train_` and the experiment's unless the fields say otherwise; a dataset that is
        not given is the experiment's, if that has one by then.
        """
        if dataset_ref is None:
            dataset_ref = fields.pop("dataset_ref", None)
        if isinstance(model_ref, TrainingConfig):
            more = {} if dataset_ref is None else {"dataset_ref": given(dataset_ref, "name", {})}
            return self._with("training_config", given(model_ref, "", {**fields, **more}))
        if model_ref is None:
            model_ref = fields.pop("model_ref", None)
        data: dict[str, Any] = {"id": f"train_{self.draft.at('id')}"}
        if model_ref is not None:
            data["model_ref"] = given(model_ref, "id", {})
        dataset = self.draft.at("dataset") if dataset_ref is None else given(dataset_ref, "name", {})
        if dataset is not None:
            data["dataset_ref"] = dataset
        return self._with("training_config", {**data, **fields})

    def update(self, path: str = "", /, **fields: Any) -> Self:
        """Merge fields into a part, mappings key by key.

        Args:
            path: Dotted, such as `training_config` or `reliability.stats`; empty for the experiment itself.
            **fields: Fields of that part.
        """
        return self._followed_by(self.draft.merge(path, fields))

    def remove(self, path: str, /) -> Self:
        """Leave a part out.

        Args:
            path: Dotted, such as `reliability.hedging`.

        Raises:
            SpecErrors: Nothing was said there.
        """
        return self._followed_by(self.draft.remove(path))

    def merge(self, other: Mapping[str, Any] | Experiment | ExperimentBuilder, /) -> Self:
        """Lay another document over this one: mappings key by key, lists and values as a whole.

        Raises:
            SpecErrors: It is no document.
        """
        if isinstance(other, ExperimentBuilder):
            return self._followed_by(self.draft.lay(other.draft))
        if not isinstance(other, (Mapping, Experiment)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise problem(f"what is merged must be a map, an experiment or a builder, got {show(other)}", "", "type")
        return self._followed_by(self.draft.merge("", given(other, "", {})))

    def build(self) -> Experiment:
        """Return the experiment.

        Raises:
            SpecErrors: Every error that `validate` finds, and every keyword that a part does not have.
        """
        source = f'experiment "{self.draft.at("id")}"'
        problems = [issue.as_error() for issue in validate(self.draft.data) if issue.severity == "error"]
        for path, kind in self.draft.typed.items():
            part = self.draft.at(path)
            if part is None:
                continue
            try:
                read_plain(kind, part, source=source, prefix=path.split("."))
            except SpecErrors as errors:
                named = {problem.path for problem in problems}
                problems += [error for error in errors.errors if error.path not in named]
        if problems:
            raise SpecErrors(source, problems)
        return from_dict(self.draft.data, Experiment, source=source)

    def _entries(self, field: str) -> list[Any]:
        return self.draft.entries(field)

    def _changed(self, field: str, name: str | int, values: Mapping[str, Any] | None) -> Self:
        return self._followed_by(self.draft.change_entry(field, name, values))
