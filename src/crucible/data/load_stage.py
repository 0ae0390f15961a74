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
from crucible.data.load import read_options
from crucible.data.load_refusals import dataset_problems
from crucible.data.options import DatasetOptions
from crucible.data.training_test import TrainTest, load_train_test
from crucible.errors import ContractError, DataError
from crucible.ir import DatasetRef, Experiment
from crucible.ir.wording_text import show
from crucible.pipeline import Context, StageBase, StageOptions

__all__ = ["DataLoadOptions", "DataLoadStage"]


_ONCE: Final = "a run loads its data once; leave this second data_load out, or run it as an experiment of its own"
_OF_REFERENCE: Final = ("name", "provider", "split", "version", "format")
"""Options that are fields of a `DatasetRef`; the others say how to read it."""
_NO_DATASET: Final = "no dataset is named; give the document a dataset, or this stage a name"


class DataLoadOptions(DatasetOptions, StageOptions):
    """Options of `data_load`: each one wins over the document's `dataset`."""

    name: str | None = Field(default=None, min_length=1, description="Dataset; default: the document's.")
    provider: str | None = Field(default=None, description="crucible_datasets or huggingface.")
    split: str | None = Field(default=None, min_length=1, description="Split to train on; default: train.")
    version: str | None = Field(default=None, min_length=1, description="Revision, or sha256 of the training file.")
    format: str | None = Field(
        default=None, description="jsonl, json, csv, tsv, parquet or arrow: a file of your own under any name."
    )


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
        base = _named(experiment, options)
        if base is None:
            found = [(named, _NO_DATASET)]
        else:
            found = dataset_problems(base, options.model_dump(exclude_none=True), named)
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
    ref, training = _named(experiment, options), experiment.training_config
    if ref is None:
        raise DataError(_NO_DATASET)
    given = options.model_dump(exclude_none=True)
    own = {key: value for key, value in given.items() if key not in _OF_REFERENCE}
    wanted = read_options(ref.options or {}, own).model_dump(exclude_none=True)
    if "seed" not in wanted and training is not None and training.seed is not None:
        wanted["seed"] = training.seed
    return ref.model_copy(update={"options": wanted})


def _named(experiment: Experiment, options: DataLoadOptions) -> DatasetRef | None:
    """Return the dataset of the document as the stage names it; None if nobody names any."""
    training = experiment.training_config
    base = experiment.dataset or (training.dataset_ref if training else None)
    if options.name is not None and (base is None or base.name != options.name):
        base = DatasetRef(name=options.name)
    given = options.model_dump(exclude_none=True)
    return base and base.model_copy(update={key: given[key] for key in _OF_REFERENCE if key in given})


def _two_datasets(dataset: DatasetRef, other: DatasetRef) -> list[tuple[str, str]]:
    """Return where a training asks for other data than the run loads."""
    found: list[tuple[str, str]] = []
    for name, field in DatasetRef.model_fields.items():
        asked, key = getattr(other, name), field.alias or name
        if asked not in (field.default, getattr(dataset, name)):
            got = f", got {show(asked)}" if isinstance(asked, str) else ""
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
