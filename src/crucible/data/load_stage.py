"""The stage `data_load`: provides the datasets of a run.

A dataset is a resource and is read again when a run is resumed; its content hash is a metric, so a file that changed in
between is noticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec
from pydantic import BaseModel, Field

from crucible import events
from crucible.data.dataset import Dataset
from crucible.data.load import option_problems, read_options
from crucible.data.options import DatasetOptions
from crucible.data.training_test import TrainTest, load_train_test
from crucible.errors import ContractError, DataError
from crucible.ir import DatasetRef, Experiment
from crucible.pipeline import Context, StageBase, StageOptions

__all__ = ["DataLoadOptions", "DataLoadStage"]


_ONCE: Final = "a run loads its data once; leave this second data_load out, or run it as an experiment of its own"


class DataLoadOptions(DatasetOptions, StageOptions):
    """Options of `data_load`: each one wins over the document's `dataset`."""

    name: str | None = Field(default=None, min_length=1, description="Dataset; default: the document's.")
    provider: str | None = Field(default=None, description="crucible_datasets or huggingface.")
    split: str | None = Field(default=None, min_length=1, description="Split to train on; default: train.")
    version: str | None = Field(default=None, min_length=1, description="Revision, or sha256 of the training file.")
    format: str | None = Field(default=None, description="jsonl: a file of your own under any name.")


class DataLoadStage(StageBase):
    """Load the items to train on and the items to test on.

    Provides the resources `train` and `test`, and the metric `data`: where they came from, how many, their content
    hashes, and how many test items are also training items.
    """

    name: ClassVar[str] = "data_load"
    Options: ClassVar[type[BaseModel]] = DataLoadOptions
    reads: ClassVar[frozenset[str] | None] = frozenset(
        {"dataset", "training_config.dataset_ref", "training_config.seed"}
    )

    def check(self, experiment: Experiment, options: DataLoadOptions) -> list[tuple[str, str]]:
        """Return what the dataset says and is not carried out, and a second stage of this kind.

        Looks at no file and no environment variable.
        """
        training = experiment.training_config
        named = "training_config.dataset_ref" if experiment.dataset is None and training is not None else "dataset"
        try:
            reference = _reference(experiment, options)
            problem = option_problems(reference) or _without_effect(reference)
        except DataError as error:
            problem = str(error)
        found = [("name" if options.name else named, problem)] if problem else []
        if options.name is None and experiment.dataset is not None and training is not None:
            found += _two_datasets(experiment.dataset, training.dataset_ref)
        places = [place for place, each in enumerate(experiment.pipeline) if each.name == self.name and each.enabled]
        return found + [(f"pipeline[{place}].name", _ONCE) for place in places[1:]]

    def announces(self, experiment: Experiment, options: DataLoadOptions) -> Mapping[str, Any]:
        """Say that it leaves nothing that a later stage names."""
        del experiment, options
        return {}

    def run(self, context: Context, options: DataLoadOptions) -> Context:
        """Load both datasets.

        Raises:
            ContractError: The run has loaded its data before.
            DataError: They are missing, empty or unusable.
        """
        if context.has_metric("data"):
            raise ContractError(_ONCE)
        ref = _reference(context.experiment, options)
        loaded = load_train_test(ref)
        _explain(ref, loaded)
        return _provided(context, loaded).put_metric("data", _facts(ref, loaded))

    def rebuild(self, context: Context, options: DataLoadOptions) -> Context:
        """Load both datasets again for a run that is resumed.

        Raises:
            DataError: They are not what the run began with.
        """
        ref = _reference(context.experiment, options)
        loaded = load_train_test(ref)
        before: Mapping[str, Any] = context.get_metric("data", {})
        for role, facts in _facts(ref, loaded).items():
            if role in ("train", "test") and before.get(role, {}).get("content_hash") != facts["content_hash"]:
                raise DataError(
                    f"{ref.name}: the {role} items in {facts['source']} are not those that the run began with; "
                    "restore the file, or start a new run"
                )
        return _provided(context, loaded)


def _reference(experiment: Experiment, options: DataLoadOptions) -> DatasetRef:
    """Return the dataset of the document with the stage's options on top, the seed included."""
    training = experiment.training_config
    base = experiment.dataset or (training.dataset_ref if training else None)
    if options.name is not None and (base is None or base.name != options.name):
        base = DatasetRef(name=options.name)
    if base is None:
        raise DataError("no dataset is named; give the document a dataset, or this stage a name")
    given = options.model_dump(exclude_none=True)
    fields = {key: given.pop(key) for key in ("name", "provider", "split", "version", "format") if key in given}
    wanted = read_options(base.options or {}, given).model_dump(exclude_none=True)
    if "seed" not in wanted and training is not None and training.seed is not None:
        wanted["seed"] = training.seed
    return base.model_copy(update={**fields, "options": wanted})


def _without_effect(ref: DatasetRef) -> str:
    """Return what a reference says and its source would not look at, or not have; empty if nothing."""
    if ref.provider == "huggingface":
        message = "a repository has the files that it has; leave it out, or name files with the option files"
        return f'{ref.name}: the format "{ref.format}" cannot be chosen here: {message}' if ref.format else ""
    if ref.name != "tickets":
        return ""
    if ref.format is not None:
        return f'tickets are generated and have no format "{ref.format}"; leave format out'
    if ref.schema_ is not None:
        return "tickets are generated and have no rows to hold against dataset.schema; leave schema out"
    return "" if ref.split in ("train", "test") else f'tickets has no split "{ref.split}"; it has: train, test'


def _two_datasets(dataset: DatasetRef, other: DatasetRef) -> list[tuple[str, str]]:
    """Return where a training asks for other data than the run loads."""
    found: list[tuple[str, str]] = []
    for name, field in DatasetRef.model_fields.items():
        asked, key = getattr(other, name), field.alias or name
        if asked not in (field.default, getattr(dataset, name)):
            got = f', got "{asked}"' if isinstance(asked, str) else ""
            message = f"the run loads `dataset`, so {key} must be as it is there{got}"
            found.append((f"training_config.dataset_ref.{key}", message))
    return found


def _provided(context: Context, loaded: TrainTest) -> Context:
    return context.put_resource("train", loaded.train).put_resource("test", loaded.test)


def _facts(ref: DatasetRef, loaded: TrainTest) -> dict[str, Any]:
    options = ref.options or {}
    return {
        "name": ref.name,
        "seed": options.get("seed", 0),
        "synthetic": loaded.train.provenance.synthetic or loaded.test.provenance.synthetic,
        "test_from": loaded.test_from,
        "overlap": len(loaded.overlap),
        "on_overlap": options.get("on_overlap", "keep"),
        "train": _facts_of(loaded.train),
        "test": _facts_of(loaded.test),
    }


def _facts_of(dataset: Dataset) -> dict[str, Any]:
    provenance = msgspec.to_builtins(dataset.provenance)
    return {
        "split": dataset.split,
        "items": len(dataset),
        **provenance,
        "notes": list(provenance["notes"]),
        "content_hash": dataset.content_hash(),
    }


def _explain(ref: DatasetRef, loaded: TrainTest) -> None:
    made_up = loaded.train.provenance.synthetic or loaded.test.provenance.synthetic
    kind = "synthetic items" if made_up else "items"
    events.decision(
        f"test on {len(loaded.test)} {kind} of {ref.name}, train on {len(loaded.train)}",
        f"test items: {loaded.test_from}",
        type="data_selected",
        metadata={"train": len(loaded.train), "test": len(loaded.test)},
    )
    if loaded.overlap:
        policy = (ref.options or {}).get("on_overlap", "keep")
        done = "dropped them from training" if policy == "drop" else "kept them in both"
        events.decision(
            f"{done}: {len(loaded.overlap)} of {len(loaded.test)} test items are also training items",
            f"on_overlap is {policy}; their inputs are the same but for case and white space",
            alternatives=[other for other in ("keep", "drop", "refuse") if other != policy],
            type="data_overlap",
            metadata={"overlap": len(loaded.overlap), "ids": list(loaded.overlap[:20])},
        )
