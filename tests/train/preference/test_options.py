"""No silent options: each that `dpo_train` has beside those of `LoraConfig` changes what is done."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from crucible.data import Dataset, Item, Provenance, make_tickets
from crucible.ir import Experiment, LoraConfig
from crucible.pipeline import Context, parse_options
from crucible.train.preference.options import DPOTrainOptions
from crucible.train.preference.stages import DPOTrainStage
from crucible.train.stages import SupervisedTrainStage

STAGE = DPOTrainStage()
SHORT: dict[str, Any] = {"rank": 2, "learning_rate": 5e-3, "max_steps": 2, "batch_size": 4, "dropout": 0.0}

LINES: dict[str, tuple[tuple[Any, Any], dict[str, Any]]] = {
    "loss_type": (("dpo", "ipo"), {}),
    "beta": ((0.1, 0.5), {}),
    "label_smoothing": ((0.1, 0.3), {"loss_type": "cdpo"}),
    "ties": (("skip", "split"), {}),
    "desirable_weight": ((1.0, 2.0), {"loss_type": "kto"}),
    "undesirable_weight": ((1.0, 2.0), {"loss_type": "kto"}),
    "reference_model": ((None, "saved"), {}),
    "start_from": ((None, "tuned"), {}),
    "rejected_from": (("base", "tuned"), {"dataset": "test", "rejected_max_tokens": 8}),
    "rejected_max_tokens": ((4, 8), {"dataset": "test", "rejected_from": "base"}),
    "model": (("one", "two"), {}),
    "dataset": (("train", "test"), {"rejected_from": "base", "rejected_max_tokens": 4}),
}
"""Two values of each option that are to differ, and the other options that the effect needs."""


@pytest.fixture(scope="module")
def run(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A run that has tuned a model, with comparisons (one a tie) as `train` and bare tickets as `test`."""
    experiment = Experiment.read(
        {
            "id": "x",
            "backend": {"id": "local"},
            "pipeline": [{"name": "dpo_train"}],
            "training_config": {"id": "t", "model_ref": {"id": str(base)}, "dataset_ref": {"name": "pairs"}},
        }
    )
    pairs = [
        Item(f"p{number}", f"ticket {number} is late ->", None, {"chosen": " sorry", "rejected": " wait"})
        for number in range(3)
    ]
    pairs.append(Item("tie", "What?", None, {"chosen": " a", "rejected": " b", "label": "Tie"}))
    context = Context(run_id="r", experiment=experiment, workspace=tmp_path_factory.mktemp("run"))
    for name, items in (("train", pairs), ("test", make_tickets(3, seed=5))):
        context = context.put_resource(name, Dataset(name, name, tuple(items), Provenance(source="here")))
    supervised = SupervisedTrainStage()
    options = cast("Any", parse_options(supervised, {**SHORT, "dataset": "test", "learning_rate": 2e-2}))
    return supervised.run(context, options)


def test_every_option_has_a_line_or_is_of_every_training() -> None:
    """Those of `LoraConfig` are held by their own test; what is left are names."""
    own = DPOTrainOptions.model_fields.keys() - LoraConfig.model_fields.keys()
    assert own - {"on_missed_target"} == LINES.keys()


@pytest.mark.parametrize("option", LINES)
def test_each_option_makes_a_difference(run: Context, option: str) -> None:
    """Seen in what the stage leaves, not in the settings that it repeats."""
    values, also = LINES[option]
    seen: list[Any] = []
    for number, value in enumerate(values):
        given = {"model": f"{option}-{number}", **SHORT, **also, option: value}
        if value == "saved":
            given[option] = str(run.artifact_path("adapter.tuned").parent)
        options = cast("Any", parse_options(STAGE, {name: each for name, each in given.items() if each is not None}))
        after = STAGE.run(run, options)
        (name,) = (name for name in after.metrics if name.startswith("train.") and name != "train.tuned")
        facts = after.metrics[name]
        look = ("initial_loss", "final_loss", "items", "tokens", "dataset")
        seen.append((name if option == "model" else "", *(facts[each] for each in look)))
    assert seen[0] != seen[1]
